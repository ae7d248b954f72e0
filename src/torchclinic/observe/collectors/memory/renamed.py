"""Views of a batch that treat its dimensions as if they lay in another order."""

from itertools import accumulate, permutations
from operator import mul

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import OperationCalled
from torchclinic.observe.records import AxesRenamed
from torchclinic.vocabulary import VIEWS

MOST_DIMENSIONS = 6
_NAMING = VIEWS | {"unflatten"}


class RenamedAxes(Collector):
    operations = VIEWS

    def prepare(self) -> None:
        self.found: dict[str, AxesRenamed] = {}  # by line

    def operation_called(self, event: OperationCalled) -> None:
        """A view that keeps the batch: does it treat the other dimensions as if they lay in another order?"""
        node, result = event.node, event.result
        if result.dim() <= 2 or not result.is_floating_point():
            return
        before, after = tuple(event.args[0].shape), tuple(result.shape)
        if before[0] != after[0] or (node.parents and node.parents[0].op in _NAMING):
            return  # an earlier view gave the dimensions their meaning
        order = order_of_view(before, after)
        known = self.found.get(node.line)
        if known is not None:
            known.calls += bool(order)
        elif order:
            step = self.state.clock.step
            self.found[node.line] = AxesRenamed(node.line, node.where, event.name, step, before, after, order)


def order_of_view(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...]:
    """The order of the dimensions (of the shape that has more of them) in which the other shape is made by merging
    neighbours, where in the order they have it is not. Empty if they fit as they lie, or in no order.

    `(8, 60, 3)` viewed as `(8, 3, 60)` gives `(0, 2, 1)`; `(8, 4, 60, 16)` viewed as `(8, 60, 64)` gives `(0, 2, 1, 3)`.
    """
    fine, coarse = (before, after) if len(before) >= len(after) else (after, before)
    if len(fine) > MOST_DIMENSIONS or _merges(fine, coarse):
        return ()
    for rest in permutations(range(1, len(fine))):
        if _merges(tuple(fine[i] for i in (0, *rest)), coarse):
            return (0, *rest)
    return ()


def _merges(fine: tuple[int, ...], coarse: tuple[int, ...]) -> bool:
    """Whether each boundary between dimensions of `coarse` is one of `fine`."""
    return set(accumulate(coarse, mul)) <= set(accumulate(fine, mul))
