"""Further records of an observation: what extra passes, label streams, clipping, loaders and ranks have shown."""

import math
from dataclasses import dataclass, field

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class RandomCall:
    """A call that draws random numbers in a forward in eval mode."""

    function: str
    where: str  # the module
    line: str
    drops: bool  # a dropout: values are set to zero
    asked_for: bool  # `training=True` is written there


@dataclass(slots=True)
class EvalPass:
    """What forwards of the same few samples in eval mode have shown, each restored bit for bit."""

    model: str
    line: str
    step: int
    rows: int
    difference: float  # largest change between two passes of the same batch, as a share of the output's spread
    random_calls: tuple[RandomCall, ...]
    mixing: float = NAN  # largest change of a sample's output when only the other samples are replaced, same unit
    mixing_reason: str = ""  # why that says nothing
    other_batch: str = ""  # the dimension that is independent, and so may be the batch
    fresh: bool = False  # the batch differs from that of the first look
    example: str = ""  # the output's shape


@dataclass(slots=True)
class ModeGap:
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
    momentum: float = NAN  # the smallest
    example: str = ""


@dataclass(slots=True)
class LabelBatch:
    """The labels of one training batch, and what the model said about it."""

    step: int
    line: str
    classes: int
    counts: tuple[int, ...]
    predicted: tuple[int, ...]
    hits: tuple[int, ...]  # right ones, per class
    ascending: bool  # in the order of the rows
    weighted: bool
    value: float = NAN
    fresh: bool = False  # none of its rows was seen in an observed training forward before


@dataclass(slots=True)
class EvaluatedLabels:
    """Decisions compared with labels, outside a loss."""

    line: str
    step: int
    rows: int
    common: int = 0  # the most frequent label
    rare: int = 0  # other labels
    said: int = 0  # other decisions
    found: int = 0  # other labels that were decided for


@dataclass(slots=True)
class LabelStream:
    """All label batches of one loss call's line."""

    line: str
    batches: list[LabelBatch] = field(default_factory=list)
    steps: int = 0  # of the run
    optimizers: int = 1
    loader: bool = False  # drawn from a loader between observed steps: nothing is known of the predictions
    several: bool = False  # more than one loss call with labels in some step
    evaluations: list["EvaluatedLabels"] = field(default_factory=list)


@dataclass(slots=True)
class LossDirection:
    """How a known measure of error, and the value that is minimized, moved together."""

    measure: str
    line: str
    root_line: str
    steps: list[int]
    errors: list[float]
    roots: list[float]
    chance: float  # the error of guessing
    optimizers: int = 1


@dataclass(slots=True)
class ClipUse:
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
class DecayUse:
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


@dataclass(slots=True)
class HalfUse:
    """Gradients and updates in half precision, without a scaler."""

    step: int
    line: str
    dtype: str
    kind: str  # update | gradient
    elements: int
    lost: int
    example: str = ""
    steps: int = 1
    step_share: float = 0.0  # of the observed steps, how many lost so much
    scaled: bool = False


@dataclass(slots=True)
class HeldOutUse:
    """Rows evaluated under a name that says held out, and how many of them training has used."""

    line: str
    step: int
    name: str
    rows: int
    seen: int
    distinct: float = 1.0  # share of the training rows, within single batches, that equal no other


@dataclass(slots=True)
class WorkerRandomness:
    """Loader workers that started with the same random state, and drew from it."""

    line: str
    workers: int
    alike: int
    source: str
    seeded_by: str = ""


@dataclass(slots=True)
class SamplerUse:
    """A shuffling distributed sampler."""

    line: str
    replicas: int
    epochs: int  # times it was iterated for training
    repeated: int  # of them, with the epoch it had before
    set_epoch_calls: int = 0


@dataclass(slots=True)
class WrapperBypass:
    """The inner module of a data-parallel wrapper trained without its wrapper."""

    line: str
    step: int
    model: str
    wrapper: str
    replicas: int
    steps: int
    wrapped_calls: int


@dataclass(slots=True)
class ReplicaComparison:
    """What rank 0 and the rank most unlike it held before their steps; `rank` 0: none holds a model of the same shapes."""

    rank: int = 0
    replicas: int = 1
    missing: int = 0  # ranks whose notes could not be read
    line: str = ""
    step: int = 0  # the first look at which they differed
    looks: int = 0
    parameters: int = 0
    differing: int = 0  # at the last look
    shared: int = 0  # of them, with the same gradient on both ranks after an exchange
    wrapped: int = 0  # of them, with a data-parallel wrapper that is to keep them equal
    divided: bool = False  # a distributed sampler deals the training data out to the ranks
    rejoined: bool = False  # apart at one look, equal at a later one
    unseen: bool = False  # exchanges that no look followed
    example: str = ""
    difference: float = 0.0  # as a share of the parameter's largest element


@dataclass(slots=True)
class Agreement:
    """Decisions beside labels."""

    rows: float = 0.0
    hits: float = 0.0
    expected: float = 0.0  # hits, had the same decisions met the same labels at random

    def add(self, values: list[float]) -> None:
        self.rows, self.hits, self.expected = (
            self.rows + values[0],
            self.hits + values[1],
            self.expected + values[2],
        )

    @property
    def kappa(self) -> float:
        """Agreement beyond chance: 0 = none, 1 = all that is possible."""
        room = self.rows - self.expected
        return (self.hits - self.expected) / room if room > 0 else 0.0

    def error(self, kappa: float) -> float:
        """Standard error of kappa, where that is its true value."""
        if self.rows <= self.expected or not self.rows:
            return math.inf
        chance = self.expected / self.rows
        share = min(max(chance + kappa * (1 - chance), 1 / self.rows), 1 - 1 / self.rows)
        return math.sqrt(share * (1 - share) / self.rows) / (1 - chance)


@dataclass(slots=True)
class CarryOver:
    """One evaluation of a classifier: agreement with the labels on rows it was trained on, and on those evaluated."""

    model: str
    line: str
    step: int
    seen: Agreement
    unseen: Agreement = field(default_factory=Agreement)
    early: Agreement = field(default_factory=Agreement)  # in the first training steps, before a batch is learnt from
    coded: bool = False  # inputs of few distinct values or integers
    unlike: bool = False  # evaluated inputs have another shape, scale or offset
    best: float = 0.0  # over all evaluations, kappa on unseen rows over its standard error
