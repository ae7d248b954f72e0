"""What happens to a gradient on its way into the weights."""

from dataclasses import dataclass, field
from math import nan

from torchclinic.observe.records.record import Absence, Record


@dataclass(slots=True)
class ScaledClip(Record, absence=Absence.IN_TRAINING):
    line: str
    step: int
    scale: float
    calls: int


@dataclass(slots=True)
class DiscardedUpdate(Record):
    """Parameters moved along their gradients in tensors that nothing used and nobody kept, without an optimizer."""

    line: str
    operation: str
    step: int
    shape: tuple[int, ...]  # of the first
    parameters: int = 0
    backwards: int = 0  # passes of which the update was thrown away


@dataclass(slots=True)
class ClipUse(Record, absence=Absence.IN_TRAINING):
    """All calls of one clipping function from one line."""

    line: str
    function: str
    limit: float
    calls: int = 0
    late: int = 0  # called when a step had consumed the gradients and no backward had followed
    foreign: bool = False  # handed a tensor that is the result of a computation, not a parameter
    foreign_shape: tuple[int, ...] = ()
    factors: list[float] = field(default_factory=list)  # gradient norm over the limit, on observed steps
    travel: list[float] = field(default_factory=list)  # length of the update over length of the weights, same steps
    steps: int = 0  # of the run


@dataclass(slots=True)
class ClampedError(Record, absence=Absence.IN_TRAINING):
    """The clamp of a prediction minus its target, on one line, which every way from the prediction to the loss leads through."""

    line: str
    function: str
    low: float
    high: float
    shares: list[float] = field(default_factory=list)  # of the errors that lie beyond, on observed steps
    squares: list[float] = field(default_factory=list)  # their part of the sum of squares, same steps
    losses: list[float] = field(default_factory=list)  # of the whole run, where one optimizer steps

    def add(self, values: list[float]) -> None:
        self.shares.append(values[0])
        self.squares.append(values[1] / values[2] if values[2] else 0.0)


@dataclass(slots=True)
class DecayUse(Record, absence=Absence.IN_TRAINING):
    """Weight decay beside the gradient, over the observed steps of one optimizer."""

    name: str
    line: str
    decay: float  # the coefficient
    lr: float
    decoupled: bool
    steps: list[int] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)  # length of the decay's part of the step over the gradient's
    norms: list[float] = field(default_factory=list)  # of the decayed weights
    adaptive: bool = False
    loss: float = nan  # the first one, where no other optimizer steps


@dataclass(slots=True)
class HalfUse(Record, absence=Absence.IN_TRAINING):
    """Gradients and updates in half precision, without a scaler."""

    step: int
    line: str
    dtype: str
    kind: str  # update | gradient | layer: the gradients of some matrices
    elements: int
    lost: int
    example: str = ""
    steps: int = 1
    step_share: float = 0.0  # of the observed steps, how many lost so much
    scaled: bool = False
    count: int = 0  # of the matrices
