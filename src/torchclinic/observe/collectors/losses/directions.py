"""Whether what is minimized moves as an error does."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from torchclinic.observe.collector import Collector
from torchclinic.observe.collectors.losses.likelihoods import is_log_probability
from torchclinic.observe.events import DirectionNoted, LossReturned, LossUnderstood, OperationCalled
from torchclinic.observe.records import LossDirection
from torchclinic.observe.state.dataflow import Node
from torchclinic.vocabulary import CLASS_PICKS, ERRORS, LABEL_LOSSES, REGRESSION_LOSSES

MOST_POINTS = 600
MOST_DIRECTIONS = 20
MOST_OPEN = 9


class Measure(NamedTuple):
    """An error that was computed, and may become a loss."""

    name: str
    line: str
    chance: float  # the error of guessing
    node: Node
    value: Tensor


class LossDirections(Collector):
    operations = CLASS_PICKS

    def prepare(self) -> None:
        self._directions: dict[str, LossDirection] = {}
        self._open: list[Measure] = []

    def loss_returned(self, event: LossReturned) -> None:
        name, shape, result = event.called.function, event.called.prediction.shape, event.result
        if name in ERRORS and result.dim() == 0 and result.requires_grad:
            classes = shape[1] if name in LABEL_LOSSES and len(shape) > 1 else 2
            chance = math.log(classes) if name not in REGRESSION_LOSSES else math.nan
            self._note(name, event.called.line, chance, result, result)

    def operation_called(self, event: OperationCalled) -> None:
        """An operation picked one log-probability of each sample: minus their mean is the error."""
        node, result = event.node, event.result
        if not result.requires_grad or not node.parents:
            return
        made = node.parents[0].producer()
        if is_log_probability(made) and len(made.shape) == 2 and result.numel() == made.shape[0] > 1:
            self._note("negative log-likelihood", node.line, math.log(made.shape[1]), result, -result.mean())

    def _note(self, measure: str, line: str, chance: float, made: Tensor, value: Tensor) -> None:
        node = self.state.flow.node_of(made)
        if node is not None:
            self._open = [*self._open[1 - MOST_OPEN :], Measure(measure, line, chance, node, value.detach())]

    def loss_understood(self, event: LossUnderstood) -> None:
        """Note the one measure of error that the loss depends on."""
        opened, self._open = self._open, []
        root, value = event.root, event.backward.value
        known = [] if event.known is None else [self._known(*event.known)]
        if root is None or not (opened or known) or not math.isfinite(value):
            return
        ancestors = {id(node) for node in root.ancestors()}
        used = [measure for measure in opened if id(measure.node) in ancestors] or known
        if len(used) == 1:
            self._follow(used[0], value, event.backward.root_line)

    @staticmethod
    def _known(measure: str, node: Node, chance: float, error: Tensor) -> Measure:
        return Measure(measure, node.line, chance, node, error)

    def _follow(self, measure: Measure, value: float, line: str) -> None:
        step, where = self.state.clock.step, measure.line
        if where not in self._directions:
            self._directions[where] = LossDirection(measure.name, where, line, [], [], [], measure.chance)
            self.tell(DirectionNoted(self._directions[where]))
        direction = self._directions[where]

        def receive(values: list[float]) -> None:
            direction.steps.append(step)
            direction.errors.append(values[0])
            direction.roots.append(value)

        if len(direction.steps) < MOST_POINTS and len(self._directions) < MOST_DIRECTIONS:
            self.state.measurements.add([measure.value], receive)

    def records(self) -> Iterator[LossDirection]:
        for direction in self._directions.values():
            direction.optimizers = self.state.training.stepping()
            yield direction
