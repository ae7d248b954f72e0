"""What a loss compares the outputs with."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import permutations
from math import nan, sqrt

from torchclinic.observe.records.record import Absence, Record


@dataclass(slots=True)
class RegressionTargets(Record):
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


@dataclass(slots=True)
class WeightedLabels(Record, absence=Absence.IN_TRAINING):
    """The labels that one line's weighted loss met on observed steps, call by call, and the weights it gives them."""

    function: str
    line: str
    step: int
    weights: tuple[float, ...]  # per class; BCE: of the positives of each column, then of the negatives (1)
    binary: bool  # weights and counts are those of BCE
    rows_share: float  # samples over labels: the pixels of an image are not independent
    counts: list[tuple[int, ...]] = field(default_factory=list)  # in the order of the weights
    changed: bool = False  # the weights were not the same in every call

    def halves(self) -> tuple[list[int], list[int]]:
        """How often each came, in the first and in the second half of the calls."""
        middle = len(self.counts) // 2
        first, second = (
            [sum(column) for column in zip(*half, strict=True)] for half in (self.counts[:middle], self.counts[middle:])
        )
        return first, second

    def pairs(self) -> Iterator[tuple[int, int]]:
        """The places that may be compared: two classes, or positives and negatives of one column; weights of 0 left out."""
        half = len(self.weights) // 2
        for i, j in permutations([place for place, weight in enumerate(self.weights) if weight > 0], 2):
            if not self.binary or abs(i - j) == half:
                yield i, j


@dataclass(slots=True)
class TargetNetwork(Record):
    """A network that nothing trains, like another that is trained, and whose outputs that one's loss has for targets."""

    name: str
    online: str
    line: str  # of the loss
    step: int
    copied: bool  # its parameters are those with which the other one began, untrained
    parameters: int
    calls: int = 0  # since the first loss
    last_call: int = 0
    unchanged: bool = True  # up to the end, as far as spread elements of every parameter tell
    online_moved: bool = False
    online_steps: int = 0
