"""Errors that are cut to an interval before they become a loss: beyond it their gradient is exactly zero."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import BackwardBegins, OperationCalled
from torchclinic.observe.records import ClampedError
from torchclinic.observe.state.dataflow import Node
from torchclinic.vocabulary import CLAMPS, POWERS, REDUCTIONS, REGRESSION_LOSSES, SCALING, SUMS

MOST_WAITING = 16
MOST_POINTS = 400
# what leads from an error to a loss; anything else, a layer say, makes the clamp a part of a network
_REDUCING = POWERS | SCALING | REDUCTIONS | REGRESSION_LOSSES | frozenset("neg sqrt squeeze view reshape flatten float to".split())
_ADDING = SUMS - {"sub_"}  # of terms that are one number each


class ClampedErrors(Collector):
    operations = CLAMPS

    def prepare(self) -> None:
        self._found: dict[str, ClampedError] = {}  # by line
        self._waiting: list[tuple[Node, Node, ClampedError, list[Tensor]]] = []  # clamp, prediction, bounds, measures

    def operation_called(self, event: OperationCalled) -> None:
        """A clamp with gradients: is it of a prediction minus what it is compared with?"""
        node, result, args, kwargs = event.node, event.result, event.args, event.kwargs
        if not event.grad or not result.requires_grad or self.state.models.inside():
            return
        bounds = _bounds(node.op, args[1:], kwargs)
        prediction = _prediction(node, *bounds) if bounds else None
        if bounds is None or prediction is None or not (is_plain(args[0]) and is_plain(result) and result.numel()):
            return
        errors = args[0].detach().float()
        outside = (result.detach() != args[0].detach()).float()
        squares = errors.square()
        del self._waiting[: -MOST_WAITING + 1]
        facts = ClampedError(node.line, node.op, *bounds)
        self._waiting.append((node, prediction, facts, [outside.mean(), (squares * outside).sum(), squares.sum()]))

    def backward_begins(self, event: BackwardBegins) -> None:
        """Which clamps does every way from the prediction to its root lead through?"""
        root = event.root
        for node, prediction, facts, measures in self._waiting:
            if root is None or not node.used or not _the_only_way(self.state.flow.created, node, prediction, root):
                continue
            known = self._found.setdefault(facts.line, facts)
            if len(known.shares) < MOST_POINTS:
                self.state.measurements.add(measures, known.add)
        self._waiting.clear()

    def records(self) -> Iterator[ClampedError]:
        values = self.state.losses.values
        optimizers = self.state.training.stepping()
        for facts in self._found.values():
            facts.losses = list(values) if optimizers == 1 else []
            yield facts


def _bounds(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[float, float] | None:
    """Below and above; None where neither can be read."""
    names = ("min_val", "max_val") if name == "hardtanh" else ("min", "max")
    default = (-1.0, 1.0) if name == "hardtanh" else (None, None)
    given = [args[i] if len(args) > i else kwargs.get(names[i], default[i]) for i in range(2)]
    if not all(bound is None or isinstance(bound, int | float) for bound in given):
        return None
    low, high = given
    return float("-inf") if low is None else float(low), float("inf") if high is None else float(high)


def _prediction(node: Node, low: float, high: float) -> Node | None:
    """The trained side of the difference that is clamped on both sides, or whose size is clamped above."""
    made = node.parents[0].producer() if node.parents else None
    size = made is not None and made.op == "abs" and bool(made.parents)
    if made is not None and size:
        made = made.parents[0].producer()
    if made is None or made.op != "sub" or len(made.parents) != 2 or not 0 < high < float("inf"):
        return None
    if not (low <= 0 if size else float("-inf") < low < 0):
        return None  # one-sided: a margin
    one, other = made.parents
    if one.requires_grad == other.requires_grad or made.shape != (one if one.requires_grad else other).shape:
        return None
    return (one if one.requires_grad else other).producer()


def _the_only_way(created: list[Node], clamp: Node, prediction: Node, root: Node) -> bool:
    """`created` is in the order of the operations, so one pass along it follows the gradient's ways backwards."""
    around, through = {id(prediction)}, {id(clamp)}
    for node in created:
        parents = {id(parent) for parent in node.parents} if node.requires_grad else set()
        if node is not clamp and not parents.isdisjoint(around):
            around.add(id(node))
        if not parents.isdisjoint(through):
            if node.used and not (node.op in _REDUCING or (node.op in _ADDING and node.shape == ())):
                return False
            through.add(id(node))
    return id(root) in through and id(root) not in around
