"""What evaluations do, and what extra passes in eval mode have shown."""

from dataclasses import dataclass
from math import nan


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
    mixing: float = nan  # largest change of a sample's output when only the other samples are replaced, same unit
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
    momentum: float = nan  # the smallest
    example: str = ""


@dataclass(slots=True)
class HeldOutUse:
    """Rows evaluated under a name that says held out, and how many of them training has used."""

    line: str
    step: int
    name: str
    rows: int
    seen: int
    distinct: float = 1.0  # share of the training rows, within single batches, that equal no other
