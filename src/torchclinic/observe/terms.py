"""The terms that a loss is the sum of, and how each was reduced to one number."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchclinic.observe.losses import LOSSES
from torchclinic.observe.records import UnevenTerms
from torchclinic.observe.state.dataflow import Node

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

MOST_TERMS = 32
_CLASSES = {"cross_entropy", "nll_loss"}
_SUMS = {"add", "add_", "sub", "sub_", "neg", "mul", "mul_", "div", "div_"}


@dataclass(frozen=True, slots=True)
class Term:
    node: Node
    rows: int
    numel: int
    weight: float  # of one element in the loss
    summed: bool


def uneven(session: "Session", root: Node, step: int) -> UnevenTerms | None:
    """A mean over a batch beside a sum over the same batch, whose elements weigh most against those of the mean."""
    terms = list(_terms(session, root, 1.0, MOST_TERMS))
    pairs = [
        (mean, total) for mean in terms for total in terms
        if not mean.summed and total.summed and mean.rows == total.rows > 1 and mean.weight and total.weight
        and _of_data(total.node)
    ]  # fmt: skip
    if not pairs:
        return None
    mean, total = max(pairs, key=lambda pair: abs(pair[1].weight / pair[0].weight))
    return UnevenTerms(
        total.node.line, mean.node.line, step, total.node.op, mean.node.op, total.rows, total.numel, mean.numel,
        abs(total.weight), abs(mean.weight) * mean.numel,
    )  # fmt: skip


def _of_data(node: Node) -> bool:
    """It depends on something that is not learned: a penalty on parameters alone does not grow with the batch."""
    return any(not other.parents and not other.requires_grad for other in node.ancestors())


def _terms(session: "Session", node: Node, factor: float, most: int) -> Iterator[Term]:
    parents = [parent for parent in node.parents if parent.requires_grad]
    if node.shape or most <= 0 or not parents:
        return
    if node.op in _SUMS and all(parent.shape == () for parent in parents):
        if node.op in ("mul", "div", "mul_", "div_"):
            if node.scale and len(parents) == 1:  # by a number; by a tensor the factor is not known
                yield from _terms(session, parents[0], factor * node.scale, most - 1)
            return
        for parent in parents:
            yield from _terms(session, parent, factor, most - 1)
    elif node.op in ("mean", "sum") and parents[0].shape:
        numel = math.prod(parents[0].shape)
        summed = node.op == "sum"
        yield Term(node, parents[0].shape[0], numel, factor if summed else factor / numel, summed)
    elif node.op in LOSSES and parents[0].shape:
        reduction = next((call.options.get("reduction") for call in reversed(session.losses.calls)
                          if call.line == node.line and call.function == node.op), None)  # fmt: skip
        if reduction in ("mean", "sum"):
            shape = parents[0].shape
            numel = math.prod(shape) // (shape[1] if node.op in _CLASSES and len(shape) > 1 else 1)
            yield Term(
                node, parents[0].shape[0], numel, factor if reduction == "sum" else factor / numel, reduction == "sum"
            )
