"""Where the first NaN or infinity comes from.

On observed steps the largest magnitude of every operation's result is known, so the producer is the operation whose
inputs were finite and whose result was not. On other steps the saved tensors of the autograd graph are searched.
"""

import math
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from torchclinic.instruments.values import arguments_in, is_plain
from torchclinic.observe.collector import EVERY, Collector
from torchclinic.observe.collectors.training.autograd_graph import all_finite, breaking_operation, nodes_below, singular_slope
from torchclinic.observe.events import BackwardBegins, BackwardEnded, ChainsForgotten, LossBroke, OperationCalled
from torchclinic.observe.records import NonFinite
from torchclinic.observe.state.dataflow import Node
from torchclinic.script.lines import user_line
from torchclinic.vocabulary import LOGARITHMS, MASKED_FILLS, NORMS, SOFTMAXES

_AT_ZERO = LOGARITHMS | NORMS | {"sqrt", "rsqrt", "pow"}
_AT_ZERO_TRAPS = {"sqrt": "sqrt-at-zero", "rsqrt": "sqrt-at-zero", "pow": "pow-at-zero", "std": "sqrt-at-zero"}
_MASKS = MASKED_FILLS | {"where", "full", "full_like", "triu", "log", "setitem", "baddbmm", "add"}
_LIMIT = 1 << 23
_SMALL = 4096  # elements of a gradient that is looked at after every backward pass
MOST_ANCESTORS = 100_000
_LISTED = 256  # elements of a vector that are read fastest as a list

_DIVISIONS = frozenset(["div", "rsqrt", "reciprocal"])


class Numerics(Collector):
    operations = EVERY

    def prepare(self) -> None:
        self.first: NonFinite | None = None
        self._small: weakref.ref[Tensor] | None = None
        self._largest: dict[Node, float] = {}  # magnitude of its result
        self._least: dict[Node, float] = {}  # ... where its derivative may be infinite at zero
        self._looked_at: dict[Node, tuple[int, int]] = {}  # leaves, the step, and how often they had been written to

    def operation_called(self, event: OperationCalled) -> None:
        """Note the largest magnitude of a result, and of the leaves that went into it."""
        if event.grad and event.result.is_floating_point():  # an optimizer calculates without gradients, its closure with
            self._look(event.name, event.node, event.result, event.args)

    def chains_forgotten(self, event: ChainsForgotten) -> None:
        for known in (self._largest, self._least, self._looked_at):
            known.clear()

    def _look(self, name: str, node: Node, result: Tensor, args: tuple[Any, ...]) -> None:
        if self.first is not None or not is_plain(result) or result.numel() == 0 or result.numel() > _LIMIT:
            return
        self._measure(node, result)
        for argument in arguments_in(args):
            leaf = self.state.flow.leaf(argument)
            now = self.state.clock.step, 0 if argument.is_inference() else argument._version
            if leaf.op or self._looked_at.get(leaf) == now:
                continue
            if argument.is_floating_point() and is_plain(argument):
                self._looked_at[leaf] = now
                if argument.numel():
                    self._measure(leaf, argument)
        if name in _AT_ZERO and args and isinstance(args[0], Tensor) and args[0].is_floating_point() and args[0].numel():
            self._smallest(node, result if "norm" in name or name == "std" else args[0])

        divisor = _divisor(name, node, args)
        if divisor is not None and divisor.is_floating_point() and is_plain(divisor) and 0 < divisor.numel() <= _LIMIT:
            self._smallest(node, divisor)

    def _measure(self, node: Node, tensor: Tensor) -> None:
        def receive(values: list[float]) -> None:
            self._largest[node] = values[0]

        self.state.measurements.add([torch.linalg.vector_norm(tensor.detach().float(), math.inf)], receive)

    def _smallest(self, node: Node, tensor: Tensor) -> None:
        def receive(values: list[float]) -> None:
            self._least[node] = values[0]

        self.state.measurements.add([tensor.detach().float().abs().min()], receive)

    def backward_begins(self, event: BackwardBegins) -> None:
        if not math.isfinite(event.backward.value) and event.backward.root_shape.count(1) == len(event.backward.root_shape):
            self.state.measurements.flush()
            self._judge_forward(event.root)

    def backward_ended(self, event: BackwardEnded) -> None:
        if event.backward is None:
            self.glance(event.root)
        elif event.broken and math.isfinite(event.backward.value):
            self._judge_backward(event.node, event.broken, event.backward.line)

    def loss_broke(self, event: LossBroke) -> None:
        self._search_graph(event.root, event.line)

    def _judge_forward(self, root: Node | None) -> None:
        """The loss is not finite: find the producer among the operations that led to it."""
        if self.first is not None or root is None:
            return
        step = self.state.clock.step
        node, trap = self._producer(root)
        kind = "inf" if self._largest.get(node) == math.inf else "nan"
        if not node.op:
            phase: Any = "parameter" if node.requires_grad else "data"
            self.first = NonFinite(phase, step, root.line, "", "", kind, inputs_finite=False)
            return
        self.first = NonFinite("forward", step, node.line, node.where, node.op, kind, trap)

    def _producer(self, root: Node) -> tuple[Node, str]:
        """The first operation on the way back whose arguments were finite; and why its result is not."""
        node = root
        for _ in range(MOST_ANCESTORS):
            worse = [p for p in node.parents if self._is_nan(p)] or [p for p in node.parents if self._is_bad(p)]
            if not worse:
                return node, self._forward_trap(node)
            masked = node.op in SOFTMAXES and worse[0].op in _MASKS
            if masked and self._is_nan(node) and not self._is_nan(worse[0]):
                return node, "all-masked"
            node = worse[0]
        return node, ""

    def _is_nan(self, node: Node) -> bool:
        return math.isnan(self._largest.get(node, 0.0))

    def _is_bad(self, node: Node) -> bool:
        return not math.isfinite(self._largest.get(node, 0.0))

    def _forward_trap(self, node: Node) -> str:
        if node.op in LOGARITHMS and self._least.get(node) == 0:
            return "log-of-zero"
        if node.op in _DIVISIONS and self._least.get(node) == 0:
            return "division"
        return "overflow" if node.op in ("exp", "cosh", "sinh", "pow", "expm1") else ""

    def _judge_backward(self, root: Node | None, names: list[str], line: str) -> None:
        """The loss is finite and a gradient is not."""
        if self.first is not None or self.state.scaling.used:
            return
        step = self.state.clock.step
        first = NonFinite("backward", step, line, names[0] if names else "", "", "nan", certain=False)
        for node in sorted(root.ancestors(), key=lambda n: -n.step) if root is not None else ():
            if trap := self._backward_trap(node):
                first = NonFinite("backward", step, node.line, node.where, node.op, "nan", trap)
                break
        self.first = first

    def _backward_trap(self, node: Node) -> str:
        if node.op == "where" and any(map(self._is_bad, node.parents)) and not self._is_bad(node):
            return "where"
        if self._least.get(node) == 0 and node.requires_grad:
            norm = "norm-at-zero" if "norm" in node.op or node.op == "cdist" else ""
            return _AT_ZERO_TRAPS.get(node.op, norm)
        return ""

    def glance(self, root: Tensor) -> None:
        """After a backward pass that was not observed: is one small gradient, near the input, still finite?"""
        if self.first is not None or self.state.scaling.used or not root.is_cpu or root.numel() != 1:
            return
        small = self._small() if self._small is not None else self._find_small()
        if small is None or small.grad is None or not small.grad.is_cpu or math.isfinite(_sum(small.grad)):
            return
        if all_finite(small.grad) or not math.isfinite(float(root.detach())):
            return
        found = {slope for node in nodes_below(root) if (slope := singular_slope(node))}
        operation, trap = found.pop() if len(found) == 1 else ("", "")
        places = {(line, where) for name, line, where in self.state.operations_seen if name == operation}
        line, where = places.pop() if len(places) == 1 else (user_line(), "")
        where = where or ("" if operation else self.state.training.name_of(small))
        self.first = NonFinite("backward", self.state.clock.step, line, where, operation, "nan", trap, certain=False)

    def _find_small(self) -> Tensor | None:
        """The first short vector with a gradient, or else the first small matrix."""
        owned = [p for track in self.state.training.optimizers.values() for p in track.parameters()]
        small = [p for p in owned if p.grad is not None and is_plain(p.grad) and p.grad.numel() <= _SMALL]
        small = [p for p in small if p.is_floating_point()]
        found = next((p for p in small if _listed(p)), small[0] if small else None)
        self._small = weakref.ref(found) if found is not None else None
        return found

    def _search_graph(self, root: Tensor, line: str) -> None:
        """The loss of a step that was not observed is not finite: read what autograd saved."""
        if self.first is not None:
            return
        step = self.state.clock.step
        kind = "nan" if math.isnan(float(root.detach())) else "inf"
        found = NonFinite("forward", step, line, "", "", kind, certain=False)
        for node in nodes_below(root):
            variable = getattr(node, "variable", None)
            if isinstance(variable, Tensor) and not all_finite(variable):
                found = NonFinite("parameter", step, line, self.state.training.name_of(variable), "", kind)
                break
            name = breaking_operation(node)
            if name:
                match = [n for n in self.state.operations_seen if n[0] == name]
                where = match[0][2] if len({m[1:] for m in match}) == 1 else ""
                exact = match[0][1] if len({m[1] for m in match}) == 1 else line
                found = NonFinite("forward", step, exact, where, name, kind)
        self.first = found

    def records(self) -> Iterable[NonFinite]:
        return () if self.first is None else (self.first,)


def _listed(tensor: Tensor) -> bool:
    return tensor.dim() == 1 and tensor.numel() <= _LISTED


def _sum(gradient: Tensor) -> float:
    return sum(gradient.tolist()) if _listed(gradient) else float(gradient.sum())


def _divisor(name: str, node: Node, args: tuple[Any, ...]) -> Tensor | None:
    """The tensor that is divided by, where it is one and no number of Python's."""
    if name not in _DIVISIONS or not args:
        return None
    place = 1 if name == "div" and not node.reflected else 0
    divisor = args[place] if len(args) > place else None
    return divisor if isinstance(divisor, Tensor) else None
