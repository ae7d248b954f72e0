"""What theory says about a recorded pass: the recursions run along its graph, forward and backward.

A value that theory cannot give is None; the recursion then starts again from what was measured there. Sums of branches are
predicted only where their product vanishes on average: a branch whose sign flips with weights the other does not depend on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torchclinic.instruments.signal import Node
from torchclinic.theory import recursions
from torchclinic.theory.activations import slope_mean_square

Names = frozenset[int | str]
NOTHING: Names = frozenset()
GAUSSIAN_FAN = 16  # products from which a sum is taken as Gaussian (rectifiers need only its symmetry)


@dataclass(frozen=True, slots=True)
class Flow:
    """A mean square on its way. `odd`: weights whose sign it takes; `depends`: weights it is a function of."""

    value: float
    predicted: bool = True
    odd: Names = NOTHING
    depends: Names = NOTHING
    symmetric: bool = False  # distribution unchanged by a change of sign
    gaussian: bool = False
    sphere: int = 0  # behind orthogonal weights: the dimension of the sphere the values are coordinates on


def centered(values: dict[str, float]) -> bool:
    """Whether a weight's mean is within five standard errors of zero: the recursions assume zero-mean weights."""
    mean, square, n = values["weight_mean"], values["weight_mean_square"], values["weight_numel"]
    deviation = math.sqrt(max(square - mean * mean, 0.0))
    return abs(mean) <= 5 * deviation / math.sqrt(n) if deviation > 1e-6 * abs(mean) else mean == 0


def predict_forward(nodes: Sequence[Node], input_mean_square: dict[int, float]) -> list[Flow]:
    flows: list[Flow] = []
    for node in nodes:
        if node.operation.role == "input":
            flows.append(Flow(input_mean_square[node.index]))
            continue
        flow = _forward(node, [flows[i] for i in node.inputs], [nodes[i].numel for i in node.inputs])
        if flow is None or not math.isfinite(flow.value):
            depends = frozenset().union(*(flows[i].depends for i in node.inputs))
            # a value without a row of its own (a view of it) keeps what its source had
            source = node.values.get("mean_square", flows[node.inputs[0]].value if node.inputs else math.nan)
            flow = Flow(source, predicted=False, depends=depends)
        flows.append(flow)
    return flows


def _forward(node: Node, inputs: list[Flow], sizes: list[int]) -> Flow | None:
    operation, values = node.operation, node.operation.values
    source = inputs[0] if inputs else Flow(math.nan)
    match operation.role:
        case "linear":
            return _forward_linear(node, source)
        case "embedding":
            return Flow(values["weight_mean_square"], depends=frozenset({operation.parameter or node.index}))
        case "activation":
            phi = operation.phi
            assert phi is not None
            if not (source.gaussian or (phi.slopes is not None and source.symmetric)):
                return None
            odd = source.odd if phi.odd else NOTHING
            return Flow(recursions.forward_activation(source.value, phi, source.sphere), True, odd, source.depends, phi.odd)
        case "norm":
            return _forward_norm(values, source)
        case "dropout":
            return replace(source, value=recursions.forward_dropout(source.value, values["p"]), predicted=True, gaussian=False)
        case "scale":
            return replace(source, value=source.value * values["scale"], predicted=True)
        case "shift":
            value = source.value + values["shift"]
            return replace(source, value=value, predicted=True, odd=NOTHING, symmetric=False, gaussian=False)
        case "add":
            return _sum(inputs)
        case "cat":
            total = sum(f.value * n for f, n in zip(inputs, sizes, strict=True)) / sum(sizes)
            depends = frozenset().union(*(f.depends for f in inputs))
            return Flow(total, all(f.predicted for f in inputs), NOTHING, depends, all(f.symmetric for f in inputs))
        case "carry":
            return source
    return None


def _forward_linear(node: Node, source: Flow) -> Flow | None:
    operation, values = node.operation, node.operation.values
    name: int | str = operation.parameter or node.index
    if not centered(values) or name in source.depends:
        return None  # constant or shifted weights; weights used a second time
    bias = values.get("bias_mean_square", 0.0)
    q = recursions.forward_linear(source.value, values["fan_in"], values["weight_mean_square"], bias)
    odd = frozenset({name}) | source.odd if bias == 0 else NOTHING
    gaussian = values["fan_in"] >= GAUSSIAN_FAN
    sphere = round(values["fan_in"]) if values["orthogonal"] else 0
    return Flow(q, True, odd, source.depends | {name}, symmetric=True, gaussian=gaussian, sphere=sphere)


def _forward_norm(values: dict[str, float], source: Flow) -> Flow | None:
    if "affine" in values:  # evaluation mode: a fixed affine map
        if values["center"] != 0:
            return None
        return replace(source, value=source.value * values["affine"] + values["shift"], predicted=True)
    kept = source.value / (source.value + values["eps"])
    odd = source.odd if values["shift"] == 0 else NOTHING
    value = recursions.forward_norm(values["scale"] * kept, values["shift"])
    return replace(source, value=value, predicted=True, odd=odd)


def _sum(flows: list[Flow]) -> Flow | None:
    """The sum of branches whose products vanish on average; None where one of them need not."""
    total = flows[0]
    for flow in flows[1:]:
        if not (total.odd - flow.depends or flow.odd - total.depends):
            return None
        total = Flow(
            recursions.forward_add(total.value, flow.value),
            True,
            total.odd & flow.odd,
            total.depends | flow.depends,
            total.symmetric and flow.symmetric,
            total.gaussian and flow.gaussian,
        )
    return total


def predict_backward(nodes: Sequence[Node], forward: Sequence[Flow], outputs: dict[int, float]) -> list[Flow | None]:
    """The gradient's flow at each node; None where no gradient arrives. `outputs`: mean square of the gradient at outputs."""
    incoming: list[list[Flow | None]] = [[] for _ in nodes]
    flows: list[Flow | None] = [None] * len(nodes)
    for node in reversed(nodes):
        arrived = incoming[node.index]
        flow = Flow(outputs[node.index]) if node.index in outputs else None
        if flow is None and arrived and all(part is not None for part in arrived):
            flow = _sum([part for part in arrived if part is not None])
        measured = node.values.get("gradient")
        if flow is None and measured is not None:
            flow = Flow(measured, predicted=False)
        flows[node.index] = flow
        for i in node.inputs:
            incoming[i].append(_backward(node, nodes[i], flow, forward[i]))
    return flows


def _backward(node: Node, source: Node, flow: Flow | None, signal: Flow) -> Flow | None:
    if flow is None:
        return None
    operation, values = node.operation, node.operation.values
    match operation.role:
        case "linear":
            name: int | str = operation.parameter or node.index
            if not centered(values) or name in flow.depends:
                return None
            fan_out = values["fan_in"] * node.numel / values["signal_numel"]
            value = recursions.backward_linear(flow.value, fan_out, values["weight_mean_square"])
            return Flow(value, True, flow.odd | {name}, flow.depends | {name})
        case "activation":
            phi = operation.phi
            assert phi is not None
            if phi.gated or not (signal.gaussian or (phi.slopes is not None and signal.symmetric)):
                return None
            return replace(flow, value=flow.value * slope_mean_square(phi, signal.value, signal.sphere), predicted=True)
        case "norm" if "affine" in values:
            return replace(flow, value=flow.value * values["affine"], predicted=True)
        case "norm":
            # two directions of each pool, the mean and the signal itself, are projected out
            left = max(0.0, 1 - 2 / values["pooled"])
            return replace(flow, value=flow.value * values["inverse_variance"] * left, predicted=True)
        case "dropout":
            return replace(flow, value=recursions.forward_dropout(flow.value, values["p"]), predicted=True)
        case "scale":
            return replace(flow, value=flow.value * values["scale"], predicted=True)
        case "add" | "shift":
            return flow if node.numel == source.numel else None
        case "cat":
            return flow
        case "carry":
            if node.numel == source.numel:
                return flow
            if node.numel < source.numel:  # a part: what the other parts send adds without a cross term
                return replace(flow, value=flow.value * node.numel / source.numel, odd=flow.odd | {node.index})
    return None
