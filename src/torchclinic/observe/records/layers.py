"""What the layers of a model did over the whole run: plain data, one entry per window of sampled steps."""

from dataclasses import dataclass, field

from torchclinic.observe.records.record import Record
from torchclinic.vocabulary import RECTIFIERS

MOST_WINDOWS = 256  # beyond it every second one is dropped

SATURATING = {"tanh": 3.0, "tanh_": 3.0, "sigmoid": 6.0, "sigmoid_": 6.0}
"""Beyond it the slope is below one hundredth of the slope at 0: 1 - tanh(3)² = 0.0099, 4·σ'(6) = 0.0099."""


@dataclass(frozen=True, slots=True)
class Window:
    """Sampled steps up to and including `step`; NaN where nothing was measured."""

    step: int
    samples: int  # values of each unit that were looked at
    mean: float
    spread: float  # standard deviation over the looked-at values
    low: float
    high: float
    dead: int = 0  # units that were never above 0
    saturated: float = 0.0  # share of values beyond the point where the slope is a hundredth
    varying: float = float("nan")  # the largest range, over the values of one batch, of any unit
    gradient: float = float("nan")  # norm of the weight's gradient, median over the window
    peak: float = float("nan")  # ... and the largest
    update: float = float("nan")  # norm of a step's change of the weight over the weight's norm, median
    leap: float = float("nan")  # ... and the largest
    weight: float = float("nan")  # norm of the weight
    rate: float = float("nan")  # learning rate


@dataclass(slots=True)
class LayerSeries(Record):
    """One layer with weights, from the first sampled step to the last."""

    model: str
    path: str
    kind: str
    order: int  # in the forward pass
    units: int
    followed_by: str  # the activation that reads the output, if one was seen
    output: bool  # its output is the model's
    parameter: str
    line: str = ""  # where its weight was given its first values
    windows: list[Window] = field(default_factory=list)

    @property
    def rectified(self) -> bool:
        return self.followed_by in RECTIFIERS

    def add(self, window: Window) -> None:
        self.windows.append(window)
        if len(self.windows) > MOST_WINDOWS:
            del self.windows[1:-1:2]
