"""What evaluations do, and what extra passes in eval mode have shown."""

from dataclasses import dataclass, field
from math import inf, nan, sqrt

from torchclinic.observe.records.record import Absence, Record


@dataclass(frozen=True, slots=True)
class RandomCall:
    """A call that draws random numbers in a forward in eval mode."""

    function: str
    where: str  # the module
    line: str
    drops: bool  # a dropout: values are set to zero
    asked_for: bool  # `training=True` is written there


@dataclass(slots=True)
class EvalPass(Record, absence=""):
    """What forwards of the same few samples in eval mode have shown, each restored bit for bit."""

    model: str
    line: str
    step: int
    rows: int
    difference: float  # largest change between two passes of the same batch, as a share of the output's spread
    random_calls: tuple[RandomCall, ...]
    mixing: float = nan  # largest change of a sample's output when only the other samples are replaced, same unit
    mixing_line: str = ""  # of the call in which they begin to mix
    mixing_reason: str = ""  # why that says nothing
    other_batch: str = ""  # the dimension that is independent, and so may be the batch
    shape: tuple[int, ...] = ()  # of the first argument
    labelled: bool = False  # the loss takes one label for each of its rows, and no other dimension is as long
    fresh: bool = False  # the batch differs from that of the first look
    example: str = ""  # the output's shape


@dataclass(slots=True)
class ModeGap(Record, absence=Absence.IN_TRAINING):
    """The error of one training batch in train mode (dropout off) and in eval mode, at an evaluation."""

    model: str
    line: str
    step: int
    steps: int  # of the run
    rows: int
    measure: str
    constant: float  # the error of the best constant prediction
    in_train: float
    in_eval: float
    updates: int  # the fewest batches any of the running statistics has seen
    layers: int  # normalizations with running statistics
    momentum: float = nan  # the smallest
    example: str = ""


@dataclass(slots=True)
class UnmeasuredStatistics(Record, absence=Absence.IN_TRAINING):
    """Layers of a model in eval mode beside the same layers of a model that measured theirs in training."""

    model: str
    line: str  # of the evaluation
    step: int
    layers: int
    written_line: str = ""  # where the script last wrote into the weights
    unmeasured: tuple[str, ...] = ()  # running statistics exactly as a new layer's, no batch counted
    moved: bool = False  # the weights are not those the trained model began with
    likeness: float = 0.0  # cosine with the trained model's weights, of now or of the beginning


@dataclass(slots=True)
class HeldOutUse(Record, absence=Absence.IN_TRAINING):
    """Rows evaluated under a name that says held out, and how many of them training has used."""

    line: str
    step: int
    name: str
    rows: int
    seen: int
    chance: float = 0.0  # at most this share would equal a training row by chance, at 95 %


@dataclass(slots=True)
class Agreement:
    """Decisions beside labels."""

    rows: float = 0.0
    hits: float = 0.0
    expected: float = 0.0  # hits, had the same decisions met the same labels at random

    def add(self, values: list[float]) -> None:
        self.rows, self.hits, self.expected = (self.rows + values[0], self.hits + values[1], self.expected + values[2])

    @property
    def kappa(self) -> float:
        """Agreement beyond chance: 0 = none, 1 = all that is possible."""
        room = self.rows - self.expected
        return (self.hits - self.expected) / room if room > 0 else 0.0

    def error(self, kappa: float) -> float:
        """Standard error of kappa, where that is its true value."""
        if self.rows <= self.expected or not self.rows:
            return inf
        chance = self.expected / self.rows
        share = min(max(chance + kappa * (1 - chance), 1 / self.rows), 1 - 1 / self.rows)
        return sqrt(share * (1 - share) / self.rows) / (1 - chance)


@dataclass(slots=True)
class CarryOver(Record, absence="no evaluation of a trained classifier was seen that compares decisions with labels"):
    """One evaluation of a classifier: agreement with the labels on rows it was trained on, and on those evaluated."""

    model: str
    line: str
    step: int
    seen: Agreement  # a batch that was kept, and evaluated rows that are known from training
    unseen: Agreement = field(default_factory=Agreement)
    early: Agreement = field(default_factory=Agreement)  # in the first training steps, before a batch is learnt from
    coded: bool = False  # inputs of few distinct values or integers
    unlike: bool = False  # evaluated inputs have another shape, scale or offset
    best: float = 0.0  # over all evaluations, kappa on unseen rows over its standard error
    evaluations: int = 1
    left: float = nan  # cross-entropy of training, mean over the last quarter, over the entropy of its labels; NaN = unknown


@dataclass(slots=True)
class ScoreComparison(Record, absence=Absence.IN_TRAINING):
    """Numbers that are no integers, compared with integers for equality."""

    line: str
    step: int
    made: str  # the operation that made the numbers
    rows: int
    between: int = 0  # of the numbers, how many lie between two integers
    equal: int = 0


@dataclass(slots=True)
class AnswerInInput(Record, absence=Absence.IN_TRAINING):
    """A sequence model whose targets are tokens of its own input."""

    model: str
    line: str  # of the loss
    step: int
    shift: int  # the target at t is the input at t + shift
    share: float  # of the targets for which this holds
    positions: int = 0  # after which the input was changed
    changed: int = 0  # of them, how often an output up to the position changed
    reason: str = ""  # why this is not known


@dataclass(slots=True)
class FedInputs(Record, absence=Absence.IN_TRAINING):
    """Mean and standard deviation of the batches a model was fed, over all their numbers."""

    model: str
    columns: int  # numbers of a sample
    line: str = ""  # of the first evaluation
    step: int = 0
    training: list[tuple[float, float]] = field(default_factory=list)
    evaluation: list[tuple[float, float]] = field(default_factory=list)

    def evaluated(self, line: str, step: int, numbers: list[float]) -> None:
        if not self.line:
            self.line, self.step = line, step
        self.evaluation.append((numbers[0], numbers[1]))
