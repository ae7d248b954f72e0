"""What a loss compares the outputs with."""

from dataclasses import dataclass
from math import nan, sqrt


@dataclass(slots=True)
class RegressionTargets:
    """All targets that one line's regression loss, averaged over its elements, met on observed steps."""

    function: str
    line: str
    step: int
    untrained: bool  # the first of them came before any step
    delta: float  # huber: the slope of its linear part; 1 for all others
    numbers: int = 0
    total: float = 0.0
    squares: float = 0.0
    output: float = nan  # root mean square of the outputs in the first call

    def mean(self) -> float:
        return self.total / self.numbers

    def rms(self) -> float:
        return sqrt(self.squares / self.numbers)

    def spread(self) -> float:
        """Standard deviation about the mean of all of them."""
        return sqrt(max(0.0, self.squares / self.numbers - self.mean() ** 2))

    def error(self, loss: float) -> float:
        """A loss in the unit of the targets: root mean square for squares, else the least mean distance it allows."""
        return sqrt(loss) if self.function == "mse_loss" else loss / self.delta
