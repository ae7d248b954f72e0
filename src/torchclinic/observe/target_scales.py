"""How large the targets of a regression are, beside what the network puts out at first."""

from typing import TYPE_CHECKING, Any

from torch import Tensor

from torchclinic.instruments.values import LIMIT, is_plain
from torchclinic.observe.records import RegressionTargets

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

REGRESSIONS = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
MOST_LINES = 20


class ScaleOfTargets:
    """Looks at losses with gradients, on observed steps."""

    def __init__(self, session: "Session") -> None:
        self.session = session
        self.found: dict[str, RegressionTargets] = {}

    def look(self, name: str, bound: dict[str, Any], line: str) -> None:
        """Called before a loss with gradients runs."""
        prediction, target = bound["input"], bound["target"]
        if name not in REGRESSIONS or not (is_plain(prediction) and is_plain(target)):
            return
        plain = bound.get("reduction", "mean") == "mean" and bound.get("weight") is None and not target.requires_grad
        if not plain or prediction.shape != target.shape or not 0 < target.numel() <= LIMIT or target.is_complex():
            return
        delta = float(bound.get("delta", 1.0)) if name == "huber_loss" else 1.0
        self.note(name, line, delta, target.numel(), scales(prediction, target))

    def note(self, name: str, line: str, delta: float, numbers: int, sizes: list[Tensor]) -> None:
        """The `scales` of one call."""
        if line not in self.found and len(self.found) >= MOST_LINES:
            return
        step = self.session.step
        facts = self.found.setdefault(line, RegressionTargets(name, line, step, step == 0, delta))

        def receive(measured: list[float]) -> None:
            total, squares, output = measured
            facts.output = output**0.5 if not facts.numbers else facts.output
            facts.numbers += numbers
            facts.total += total
            facts.squares += squares

        self.session.measurements.add(sizes, receive)


def scales(prediction: Tensor, target: Tensor) -> list[Tensor]:
    """Sum and sum of squares of the targets, and the mean square of the outputs."""
    values, outputs = target.detach().double(), prediction.detach().double()
    return [values.sum(), values.square().sum(), outputs.square().mean()]
