"""`propagation`: one forward and one backward pass of any model, measured layer by layer beside what theory predicts."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.errors import InputError
from torchclinic.instruments.arguments import apply
from torchclinic.instruments.guard import untouched
from torchclinic.instruments.layer_signal import LayerSignal, Propagation
from torchclinic.instruments.prediction import Flow, predict_backward, predict_forward
from torchclinic.instruments.signal import Node, SignalRecorder, read
from torchclinic.instruments.signal_operations import identical_rows
from torchclinic.theory import gain, recursions
from torchclinic.theory.activations import Activation
from torchclinic.theory.dying_relu import dead_unit_share

Loss = Callable[..., Tensor]
ROUNDING = 1e-7  # differences of gradient entries up to which rows are alike: an ulp of sums of order one
Gradients = dict[str, tuple[float, float]]  # parameter -> mean square, identical rows


def propagation(model: nn.Module, batch: Any, loss_fn: Loss | None = None, *, step: int = 0) -> Propagation:
    """Measure how signal and gradient travel through `model` on `batch`, and what theory predicts from its weights.

    `batch` is what the model takes (a tensor, a tuple of arguments, or a dict of keyword arguments), or (inputs, targets);
    with `loss_fn`, called as `loss_fn(output, targets)` (or `loss_fn(output)` if there is no target). Without one, the
    gradient is that of Σ r · output, r normal from a stream of its own and scaled to mean square exactly 1.
    `step` says how many optimizer steps came before, for the record.
    The model runs once in the mode it is in; everything is restored bit for bit, on exceptions too.

    Raises:
        InputError: no parameters; NaN or infinity in the batch; the model or the loss fails; nothing was recorded.

    Reference: He et al. 2015, arXiv:1502.01852, eq. 7 and 12; Poole et al. 2016, arXiv:1606.05340 (the length map).
    """
    model = getattr(model, "_orig_mod", model)  # a compiled model hides its operations
    if next(model.parameters(), None) is None:
        raise InputError(f"{type(model).__name__} has no parameters; there is nothing a signal could be lost in.")
    args, kwargs, targets = split_batch(model, batch, with_targets=loss_fn is not None)
    _require_finite((args, kwargs))
    with untouched(model), torch.enable_grad():
        args, kwargs = apply((args, kwargs), _prepare)
        recorder = SignalRecorder(model)
        inputs = [tensor for tensor in _tensors((args, kwargs)) if tensor.is_floating_point()]
        output = _run(model, recorder, inputs, args, kwargs)
        outputs = [tensor for tensor in _tensors(output) if tensor.is_floating_point()]
        gradients = _backward(model, inputs, output, outputs, loss_fn, targets)
        ends = {index for tensor in outputs if (index := recorder.find(tensor)) is not None}
        read(recorder.nodes)
    squares = {node.index: node.values["mean_square"] for node in recorder.nodes if node.operation.role == "input"}
    batch_size = _batch_size(_tensors((args, kwargs)))
    record = _assemble(recorder.nodes, squares, ends, gradients, batch_size, loss_fn is None)
    return replace(record, step=step)


def split_batch(model: nn.Module, batch: Any, *, with_targets: bool) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """(positional arguments, keyword arguments, targets) for `model`, from a batch as a data loader gives it."""
    if isinstance(batch, Mapping):
        return (), dict(batch), None
    if not isinstance(batch, tuple | list):
        return (batch,), {}, None
    if with_targets and len(batch) > 1:
        return tuple(batch[:-1]), {}, batch[-1]
    try:
        inspect.signature(model.forward).bind(*batch)
    except TypeError:
        return (batch[0],), {}, None
    return tuple(batch), {}, None


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [tensor for item in value for tensor in _tensors(item)] if isinstance(value, list | tuple) else []


def _require_finite(batch: Any) -> None:
    for tensor in _tensors(batch):
        if tensor.numel() == 0:
            raise InputError(f"The batch holds an empty tensor of shape {tuple(tensor.shape)}; give at least one sample.")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            bad = int((~torch.isfinite(tensor)).sum())
            raise InputError(
                f"The batch holds {bad} value(s) that are NaN or infinite in a tensor of shape {tuple(tensor.shape)}; "
                "propagation is defined for finite inputs. Clean the batch first."
            )


def _prepare(tensor: Tensor) -> Tensor:
    """A tensor of its own memory that may be changed in place, and takes part in the graph if it can."""
    return tensor.detach().requires_grad_(tensor.is_floating_point()).clone()


def _run(model: nn.Module, recorder: SignalRecorder, inputs: list[Tensor], args: Any, kwargs: Any) -> Any:
    for tensor in inputs:
        recorder.enter(tensor)
    try:
        with recorder.named(), recorder:
            return model(*args, **kwargs)
    except Exception as error:
        raise InputError(
            f"{type(model).__name__} fails on this batch: {type(error).__name__}: {error} "
            "Run the model on the batch by itself first."
        ) from error


def _backward(
    model: nn.Module, inputs: list[Tensor], output: Any, outputs: list[Tensor], loss_fn: Loss | None, targets: Any
) -> Gradients:
    """Run backward without touching any `.grad`; the recorder's hooks see the gradients of the layers."""
    loss = _loss(model, output, outputs, loss_fn, targets)
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if loss is None or not loss.requires_grad:
        return {}
    sources = [*parameters.values(), *inputs]  # the inputs, so that a frozen model is passed through as well
    gradients = torch.autograd.grad(loss, sources, allow_unused=True)
    found = {}
    for name, gradient in zip(parameters, gradients, strict=False):
        if gradient is not None and gradient.layout is torch.strided:
            rows = identical_rows(gradient, ROUNDING) if gradient.dim() > 1 else torch.zeros(())
            square = torch.linalg.vector_norm(gradient.float()).square() / gradient.numel()
            found[name] = (square, rows)
    return {name: (float(square), float(rows)) for name, (square, rows) in found.items()}


def _loss(model: nn.Module, output: Any, outputs: list[Tensor], loss_fn: Loss | None, targets: Any) -> Tensor | None:
    if loss_fn is None:
        generator = torch.Generator().manual_seed(0)
        total = None
        for tensor in outputs:
            draw = torch.randn(tensor.shape, generator=generator)
            draw = (draw / draw.square().mean().sqrt()).to(tensor.device, tensor.dtype)
            total = (tensor * draw).sum() if total is None else total + (tensor * draw).sum()
        return total
    try:
        loss = loss_fn(output) if targets is None else loss_fn(output, targets)
    except Exception as error:
        raise InputError(f"The loss fails on the output of {type(model).__name__}: {type(error).__name__}: {error}") from error
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        shape = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise InputError(f"The loss is {shape}, not a single number; reduce it with .mean() or .sum().")
    return loss


def _batch_size(tensors: list[Tensor]) -> int:
    return max((tensor.shape[0] for tensor in tensors if tensor.dim()), default=1)


def _assemble(
    nodes: list[Node], inputs: dict[int, float], ends: set[int], gradients: Gradients, batch_size: int, drawn: bool
) -> Propagation:
    forward = predict_forward(nodes, inputs)
    boundary = {i: 1.0 if drawn else nodes[i].values.get("gradient", math.nan) for i in ends}
    backward = predict_backward(nodes, forward, boundary)
    context = _Context(nodes, ends)
    rows = []
    for node, signal, gradient in zip(nodes, forward, backward, strict=True):
        if node.layer:
            rows.append(_row(node, signal, gradient, gradients.get(node.operation.parameter), context))
    if not rows:
        raise InputError("No operation on floating-point tensors was seen in the forward pass; nothing can be measured.")
    linear = [row for row in rows if row.role == "linear"]
    notes = ["A batch of one: a unit that is zero on it need not be dead."] if batch_size == 1 else []
    notes += [] if gradients else ["No gradient reached a trainable parameter; gradients of layers only."]
    back = [row.gradient_mean_square for row in reversed(linear) if row.gradient_mean_square is not None]
    return Propagation(
        rows=tuple(rows),
        batch_size=batch_size,
        input_mean_square=max(inputs.values(), default=math.nan),
        signal_depth_lost=recursions.depth_lost([row.mean_square for row in linear]),
        gradient_depth_lost=recursions.depth_lost(back),
        notes=tuple(notes),
    )


class _Context:
    """Where each node's value goes next."""

    def __init__(self, nodes: list[Node], ends: set[int]) -> None:
        self.nodes = nodes
        self.bypassed = _bypassed(nodes, ends)
        self.consumers: list[list[int]] = [[] for _ in nodes]
        for node in nodes:
            for i in dict.fromkeys(node.inputs):
                self.consumers[i].append(node.index)

    def following(self, node: Node) -> tuple[Activation | None, bool, bool]:
        """(first activation reached, a normalization before the next weights, an addition before the next weights)."""
        phi, normalized, added = None, False, False
        seen, pending = {node.index}, list(self.consumers[node.index])
        while pending:
            index = pending.pop(0)
            if index in seen:
                continue
            seen.add(index)
            operation = self.nodes[index].operation
            if operation.role in ("linear", "opaque", "embedding"):
                continue
            normalized |= operation.role == "norm"
            added |= operation.role == "add" and phi is None
            if operation.role == "activation" and phi is None and not added:
                phi = operation.phi
            pending += self.consumers[index]
        return phi, normalized, added

    def behind(self, node: Node) -> str:
        """The weights whose output reaches this node unbent; empty if something bends or joins it on the way."""
        while len(node.inputs) == 1:
            node = self.nodes[node.inputs[0]]
            role = node.operation.role
            if role == "linear":
                return node.layer
            if role not in ("carry", "dropout") and not (role == "norm" and node.kind.startswith("BatchNorm")):
                break
        return ""


def _row(
    node: Node, signal: Flow, gradient: Flow | None, weight_gradient: tuple[float, float] | None, context: _Context
) -> LayerSignal:
    values, weights = node.values, node.operation.values
    square, mean = values.get("mean_square", math.nan), values.get("mean", math.nan)
    phi, normalized, added = context.following(node) if node.operation.role == "linear" else (None, False, False)
    predicted = gradient.value if gradient is not None and gradient.predicted else None
    return LayerSignal(
        layer=node.layer,
        kind=node.kind,
        role=node.operation.role,
        shape=node.shape,
        mean_square=square,
        variance=max(square - mean * mean, 0.0) if math.isfinite(square) else math.nan,
        predicted_mean_square=signal.value if signal.predicted else None,
        gradient_mean_square=values.get("gradient"),
        predicted_gradient_mean_square=predicted if "gradient" in values else None,
        units=int(values.get("units", 0)),
        dead_units=int(values.get("dead_units", 0)),
        zero_share=values.get("zeros"),
        saturated_share=values.get("saturated"),
        samples=int(values.get("samples", 0)),
        expected_dead_share=_expected_dead_share(node, context),
        rectifier=node.operation.phi is not None and node.operation.phi.rectifier,
        parameter=node.operation.parameter or node.recurrent,
        fan_in=weights.get("fan_in"),
        weight_mean=weights.get("weight_mean"),
        weight_mean_square=weights.get("weight_mean_square"),
        weight_numel=int(weights.get("weight_numel", 0)),
        weight_gradient_mean_square=None if weight_gradient is None else weight_gradient[0],
        identical_rows=int(weights.get("identical_rows", 0)),
        identical_gradient_rows=0 if weight_gradient is None else int(weight_gradient[1]),
        followed_by="" if phi is None else phi.name,
        gain=None if phi is None else gain(phi),
        normalized=normalized,
        growth=_growth(values),
        in_branch=added,
        bypassed=node.index in context.bypassed,
        behind=context.behind(node) if node.operation.role == "linear" else "",
    )


def _bypassed(nodes: list[Node], ends: set[int]) -> set[int]:
    """The nodes that some way from an input to an end leaves out, by counting the ways through each."""
    before = [int(node.operation.role == "input") for node in nodes]
    for node in nodes:
        before[node.index] += sum(before[i] for i in node.inputs)
    after = [int(node.index in ends) for node in nodes]
    for node in reversed(nodes):
        for i in node.inputs:
            after[i] += after[node.index]
    ways = sum(before[i] for i in ends)
    return {node.index for node in nodes if before[node.index] * after[node.index] < ways}


def _growth(values: dict[str, float]) -> tuple[float, float] | None:
    first, middle, last = (values.get(name, 0.0) for name in ("first", "middle", "last"))
    return (middle / first, last / middle) if first and middle else None


def _expected_dead_share(node: Node, context: _Context) -> float | None:
    """Theory's share of dead units from how alike the pre-activations of different samples are, for rectifiers."""
    if node.operation.phi is None or not node.operation.phi.rectifier or not node.inputs:
        return None
    source = context.nodes[node.inputs[0]]
    samples, common = int(source.values.get("samples", 0)), source.values.get("common")
    square = source.values.get("mean_square", 0.0)
    if common is None or samples == 0 or square == 0:
        return None
    correlation = (common / square - 1 / samples) / (1 - 1 / samples) if samples > 1 else 0.0
    return dead_unit_share(samples, correlation)
