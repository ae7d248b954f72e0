"""How large the targets of a regression are, beside what the network puts out at first."""

from torch import Tensor

from torchclinic.instruments.values import LIMIT, is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import LossCalled, TargetsCompared
from torchclinic.observe.records import RegressionTargets
from torchclinic.vocabulary import REGRESSION_LOSSES

MOST_LINES = 20


class TargetScales(Collector):
    """Looks at losses with gradients, on observed steps."""

    def prepare(self) -> None:
        self.found: dict[str, RegressionTargets] = {}

    def loss_called(self, event: LossCalled) -> None:
        name, bound, prediction, target = event.function, event.bound, event.prediction, event.target
        if not event.training or name not in REGRESSION_LOSSES or not (is_plain(prediction) and is_plain(target)):
            return
        plain = bound.get("reduction", "mean") == "mean" and bound.get("weight") is None and not target.requires_grad
        if not plain or prediction.shape != target.shape or not 0 < target.numel() <= LIMIT or target.is_complex():
            return
        delta = float(bound.get("delta", 1.0)) if name == "huber_loss" else 1.0
        self._note(name, event.line, delta, target.numel(), scales(prediction, target))

    def targets_compared(self, event: TargetsCompared) -> None:
        self._note(*event)

    def _note(self, name: str, line: str, delta: float, numbers: int, sizes: list[Tensor]) -> None:
        """The `scales` of one call."""
        if line not in self.found and len(self.found) >= MOST_LINES:
            return
        step = self.state.clock.step
        facts = self.found.setdefault(line, RegressionTargets(name, line, step, step == 0, delta))

        def receive(measured: list[float]) -> None:
            total, squares, output = measured
            facts.output = output**0.5 if not facts.numbers else facts.output
            facts.numbers += numbers
            facts.total += total
            facts.squares += squares

        self.state.measurements.add(sizes, receive)


def scales(prediction: Tensor, target: Tensor) -> list[Tensor]:
    """Sum and sum of squares of the targets, and the mean square of the outputs."""
    values, outputs = target.detach().double(), prediction.detach().double()
    return [values.sum(), values.square().sum(), outputs.square().mean()]
