"""Where the first NaN or infinity comes from.

On observed steps the largest magnitude of every operation's result is known, so the producer is the operation whose
inputs were finite and whose result was not. On other steps the saved tensors of the autograd graph are searched.
"""

import math
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from torchclinic.instruments.values import arguments_in, is_plain
from torchclinic.observe.records import NonFinite
from torchclinic.observe.state.dataflow import Node
from torchclinic.script.lines import user_line

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

_AT_ZERO = {"sqrt", "rsqrt", "log", "log10", "log2", "pow", "norm", "vector_norm", "linalg_vector_norm", "std", "cdist"}
_MASKS = {"masked_fill", "masked_fill_", "where", "full", "full_like", "triu", "log", "setitem", "baddbmm", "add"}
_LIMIT = 1 << 23
_SMALL = 4096  # elements of a gradient that is looked at after every backward pass
_LISTED = 256  # elements of a vector that are read fastest as a list
_SINGULAR_SLOPES = {
    "SqrtBackward0": ("sqrt", "sqrt-at-zero"),
    "RsqrtBackward0": ("rsqrt", "sqrt-at-zero"),
    "StdBackward0": ("std", "sqrt-at-zero"),
    "PowBackward0": ("pow", "pow-at-zero"),
    "WhereBackward0": ("where", "where"),
}  # operations that are finite where their derivative is not


class Numerics:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.first: NonFinite | None = None
        self._small: weakref.ref[Tensor] | None = None

    def look(self, name: str, node: Node, result: Tensor, args: tuple[Any, ...]) -> None:
        """Note the largest magnitude of a result, and of the leaves that went into it."""
        if self.first is not None or not is_plain(result) or result.numel() == 0 or result.numel() > _LIMIT:
            return
        self._measure(node, result)
        for argument in arguments_in(args):
            leaf = self.session.flow.leaf(argument)
            if not leaf.op and leaf.step != self.session.step and argument.is_floating_point() and is_plain(argument):
                leaf.step = self.session.step
                if argument.numel():
                    self._measure(leaf, argument)
        if (
            name in _AT_ZERO
            and args
            and isinstance(args[0], Tensor)
            and args[0].is_floating_point()
            and args[0].numel()
        ):
            self._smallest(node, result if "norm" in name or name == "std" else args[0])

    def _measure(self, node: Node, tensor: Tensor) -> None:
        def receive(values: list[float]) -> None:
            node.maximum = values[0]

        self.session.measurements.add([torch.linalg.vector_norm(tensor.detach().float(), math.inf)], receive)

    def _smallest(self, node: Node, tensor: Tensor) -> None:
        def receive(values: list[float]) -> None:
            node.zero = values[0]

        self.session.measurements.add([tensor.detach().float().abs().min()], receive)

    def judge_forward(self, root: Node | None, value: float) -> None:
        """The loss is not finite: find the producer among the operations that led to it."""
        if self.first is not None or root is None:
            return
        node, trap = _producer(root)
        kind = "inf" if node.maximum == math.inf else "nan"
        if not node.op:
            phase: Any = "parameter" if node.requires_grad else "data"
            self.first = NonFinite(phase, self.session.step, root.line, "", "", kind, inputs_finite=False)
            return
        self.first = NonFinite("forward", self.session.step, node.line, node.where, node.op, kind, trap)

    def judge_backward(self, root: Node | None, names: list[str], line: str) -> None:
        """The loss is finite and a gradient is not."""
        if self.first is not None or self.session.run.scaled:
            return
        first = NonFinite("backward", self.session.step, line, names[0] if names else "", "", "nan", certain=False)
        for node in sorted(root.ancestors(), key=lambda n: -n.step) if root is not None else ():
            trap = _backward_trap(node)
            if trap:
                first = NonFinite("backward", self.session.step, node.line, node.where, node.op, "nan", trap)
                break
        self.first = first

    def glance(self, root: Tensor) -> None:
        """After a backward pass that was not observed: is one small gradient, near the input, still finite?"""
        if self.first is not None or self.session.run.scaled or not root.is_cpu or root.numel() != 1:
            return
        small = self._small() if self._small is not None else self._find_small()
        if small is None or small.grad is None or not small.grad.is_cpu or math.isfinite(_sum(small.grad)):
            return
        if _all_finite(small.grad) or not math.isfinite(float(root.detach())):
            return
        found = {slope for node in _nodes(root) if (slope := _singular_slope(node))}
        operation, trap = found.pop() if len(found) == 1 else ("", "")
        places = {(line, where) for name, line, where in self.session.seen_operations if name == operation}
        line, where = places.pop() if len(places) == 1 else (user_line(), "")
        where = where or ("" if operation else self.session.training.name_of(small))
        self.first = NonFinite("backward", self.session.step, line, where, operation, "nan", trap, certain=False)

    def _find_small(self) -> Tensor | None:
        """The first short vector with a gradient, or else the first small matrix."""
        owned = [p for track in self.session.training.optimizers.values() for p in track.parameters()]
        small = [p for p in owned if p.grad is not None and is_plain(p.grad) and p.grad.numel() <= _SMALL]
        small = [p for p in small if p.is_floating_point()]
        found = next((p for p in small if _listed(p)), small[0] if small else None)
        self._small = weakref.ref(found) if found is not None else None
        return found

    def search_graph(self, root: Tensor, line: str) -> None:
        """The loss of a step that was not observed is not finite: read what autograd saved."""
        if self.first is not None:
            return
        step = self.session.step
        kind = "nan" if math.isnan(float(root.detach())) else "inf"
        found = NonFinite("forward", step, line, "", "", kind, certain=False)
        for node in _nodes(root):
            variable = getattr(node, "variable", None)
            if isinstance(variable, Tensor) and not _all_finite(variable):
                found = NonFinite("parameter", step, line, self.session.training.name_of(variable), "", kind)
                break
            name = _breaking_operation(node)
            if name:
                match = [n for n in self.session.seen_operations if n[0] == name]
                where = match[0][2] if len({m[1:] for m in match}) == 1 else ""
                exact = match[0][1] if len({m[1] for m in match}) == 1 else line
                found = NonFinite("forward", step, exact, where, name, kind)
        self.first = found


def _listed(tensor: Tensor) -> bool:
    return tensor.dim() == 1 and tensor.numel() <= _LISTED


def _sum(gradient: Tensor) -> float:
    return sum(gradient.tolist()) if _listed(gradient) else float(gradient.sum())


def _nodes(root: Tensor) -> Iterator[Any]:
    """The nodes of autograd's graph below a tensor."""
    seen: set[Any] = set()
    stack: list[Any] = [root.grad_fn]
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            stack += [parent for parent, _ in node.next_functions]
            yield node


def _singular_slope(node: Any) -> tuple[str, str] | None:
    """Operation and trap, if the derivative can be infinite where the value is finite."""
    if node.name() == "PowBackward0" and float(getattr(node, "_saved_exponent", 0.5)) >= 1:
        return None
    return _SINGULAR_SLOPES.get(node.name())


def _bad(node: Node) -> bool:
    return node.maximum is not None and not math.isfinite(node.maximum)


def _is_nan(node: Node) -> bool:
    return node.maximum is not None and math.isnan(node.maximum)


def _producer(root: Node) -> tuple[Node, str]:
    node = root
    for _ in range(100_000):
        worse = [parent for parent in node.parents if _is_nan(parent)] or [p for p in node.parents if _bad(p)]
        if not worse:
            return node, _forward_trap(node)
        if _is_nan(node) and not _is_nan(worse[0]) and node.op in ("softmax", "log_softmax") and worse[0].op in _MASKS:
            return node, "all-masked"
        node = worse[0]
    return node, ""


def _forward_trap(node: Node) -> str:
    if node.op in ("log", "log2", "log10") and node.zero == 0:
        return "log-of-zero"
    if node.op in ("div", "rsqrt", "reciprocal"):
        return "division"
    if node.op in ("exp", "cosh", "sinh", "pow", "expm1"):
        return "overflow"
    return ""


def _backward_trap(node: Node) -> str:
    if node.op == "where" and any(_bad(parent) for parent in node.parents) and not _bad(node):
        return "where"
    if node.zero == 0 and node.requires_grad:
        return {"sqrt": "sqrt-at-zero", "rsqrt": "sqrt-at-zero", "pow": "pow-at-zero", "std": "sqrt-at-zero"}.get(
            node.op, "norm-at-zero" if "norm" in node.op or node.op == "cdist" else ""
        )
    return ""


def _all_finite(tensor: Tensor) -> bool:
    return not is_plain(tensor) or bool(torch.isfinite(tensor.detach()).all())


def _breaking_operation(node: Any) -> str:
    """The operation of a graph node whose saved inputs show that its result cannot be finite."""
    name = str(node.name())
    saved = getattr(node, "_saved_self", None)
    if not isinstance(saved, Tensor) or not is_plain(saved) or not saved.is_floating_point():
        result = getattr(node, "_saved_result", None)
        if name.startswith(("ExpBackward", "SqrtBackward")) and isinstance(result, Tensor) and not _all_finite(result):
            return "exp" if name.startswith("Exp") else "sqrt"
        if name.startswith("DivBackward"):
            other = getattr(node, "_saved_other", None)
            if isinstance(other, Tensor) and is_plain(other) and bool((other == 0).any()):
                return "div"
        return ""
    if name.startswith("LogBackward") and _all_finite(saved) and bool((saved <= 0).any()):
        return "log"
    if name.startswith("DivBackward"):
        other = getattr(node, "_saved_other", None)
        if isinstance(other, Tensor) and is_plain(other) and _all_finite(other) and bool((other == 0).any()):
            return "div"
    if name.startswith("PowBackward") and _all_finite(saved) and bool((saved < 0).any() | (saved == 0).any()):
        return "pow"
    return ""
