"""The terms that a loss is the sum of, and how each was reduced to one number."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import BackwardBegins, LossCalled
from torchclinic.observe.records import UnevenTerms
from torchclinic.observe.state.dataflow import Node
from torchclinic.vocabulary import LABEL_LOSSES, LOSSES, REDUCTIONS, SCALING, SUMS

MOST_TERMS = 32
_SUMS = SUMS | SCALING | {"neg"}


@dataclass(frozen=True, slots=True)
class Term:
    node: Node
    rows: int
    numel: int
    weight: float  # of one element in the loss
    summed: bool


class SumsBesideMeans(Collector):
    """A mean over a batch beside a sum over the same batch; the first is kept."""

    def prepare(self) -> None:
        self._found: UnevenTerms | None = None
        self._reductions: dict[tuple[str, str], object] = {}  # of a loss, by line and function

    def loss_called(self, event: LossCalled) -> None:
        self._reductions[event.line, event.function] = event.bound.get("reduction")

    def backward_begins(self, event: BackwardBegins) -> None:
        if self._found is None and event.root is not None:
            self._found = self._uneven(event.root)

    def _uneven(self, root: Node) -> UnevenTerms | None:
        """A mean over a batch beside a sum over the same batch, whose elements weigh most against those of the mean."""
        terms = list(self._terms(root, 1.0, MOST_TERMS))
        pairs = [
            (mean, total)
            for mean in terms
            for total in terms
            if not mean.summed
            and total.summed
            and mean.rows == total.rows > 1
            and mean.weight
            and total.weight
            and _of_data(total.node)
        ]
        if not pairs:
            return None
        mean, total = max(pairs, key=lambda pair: abs(pair[1].weight / pair[0].weight))
        return UnevenTerms(
            line=total.node.line,
            mean_line=mean.node.line,
            step=self.state.clock.step,
            operation=total.node.op,
            mean_operation=mean.node.op,
            rows=total.rows,
            summed=total.numel,
            averaged=mean.numel,
            factor=abs(total.weight),
            mean_factor=abs(mean.weight) * mean.numel,
        )

    def _terms(self, node: Node, factor: float, most: int) -> Iterator[Term]:
        parents = [parent for parent in node.parents if parent.requires_grad]
        if node.shape or most <= 0 or not parents:
            return
        if node.op in _SUMS and all(parent.shape == () for parent in parents):
            if node.op in SCALING:
                if node.scale and len(parents) == 1:  # by a number; by a tensor the factor is not known
                    yield from self._terms(parents[0], factor * node.scale, most - 1)
                return
            for parent in parents:
                yield from self._terms(parent, factor, most - 1)
        elif node.op in REDUCTIONS and parents[0].shape:
            numel = math.prod(parents[0].shape)
            summed = node.op == "sum"
            yield Term(node, parents[0].shape[0], numel, factor if summed else factor / numel, summed)
        elif node.op in LOSSES and parents[0].shape:
            reduction = self._reductions.get((node.line, node.op))
            if reduction in ("mean", "sum"):
                shape = parents[0].shape
                numel = math.prod(shape) // (shape[1] if node.op in LABEL_LOSSES and len(shape) > 1 else 1)
                yield Term(node, parents[0].shape[0], numel, factor if reduction == "sum" else factor / numel, reduction == "sum")

    def records(self) -> Iterable[UnevenTerms]:
        return () if self._found is None else (self._found,)


def _of_data(node: Node) -> bool:
    """It depends on something that is not learned: a penalty on parameters alone does not grow with the batch."""
    return any(not other.parents and not other.requires_grad for other in node.ancestors())
