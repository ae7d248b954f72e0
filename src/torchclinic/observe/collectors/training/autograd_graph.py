"""What the nodes of autograd's graph have saved says where a number stopped being finite."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain

_SINGULAR_SLOPES = {
    "SqrtBackward0": ("sqrt", "sqrt-at-zero"),
    "RsqrtBackward0": ("rsqrt", "sqrt-at-zero"),
    "StdBackward0": ("std", "sqrt-at-zero"),
    "PowBackward0": ("pow", "pow-at-zero"),
    "WhereBackward0": ("where", "where"),
}  # operations that are finite where their derivative is not


def nodes_below(root: Tensor) -> Iterator[Any]:
    """The nodes of autograd's graph below a tensor."""
    seen: set[Any] = set()
    stack: list[Any] = [root.grad_fn]
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            stack += [parent for parent, _ in node.next_functions]
            yield node


def singular_slope(node: Any) -> tuple[str, str] | None:
    """Operation and trap, if the derivative can be infinite where the value is finite."""
    if node.name() == "PowBackward0" and float(getattr(node, "_saved_exponent", 0.5)) >= 1:
        return None
    return _SINGULAR_SLOPES.get(node.name())


def all_finite(tensor: Tensor) -> bool:
    return not is_plain(tensor) or bool(torch.isfinite(tensor.detach()).all())


def breaking_operation(node: Any) -> str:
    """The operation of a graph node whose saved inputs show that its result cannot be finite."""
    name = str(node.name())
    saved = getattr(node, "_saved_self", None)
    if not isinstance(saved, Tensor) or not is_plain(saved) or not saved.is_floating_point():
        result = getattr(node, "_saved_result", None)
        if name.startswith(("ExpBackward", "SqrtBackward")) and isinstance(result, Tensor) and not all_finite(result):
            return "exp" if name.startswith("Exp") else "sqrt"
        if name.startswith("DivBackward"):
            other = getattr(node, "_saved_other", None)
            if isinstance(other, Tensor) and is_plain(other) and bool((other == 0).any()):
                return "div"
        return ""
    if name.startswith("LogBackward") and all_finite(saved) and bool((saved <= 0).any()):
        return "log"
    if name.startswith("DivBackward"):
        other = getattr(node, "_saved_other", None)
        if isinstance(other, Tensor) and is_plain(other) and all_finite(other) and bool((other == 0).any()):
            return "div"
    if name.startswith("PowBackward") and all_finite(saved) and bool((saved < 0).any() | (saved == 0).any()):
        return "pow"
    return ""
