"""Losses, and comparisons of two tensors beside them: what went in, and how the value moved."""

from dataclasses import dataclass, field
from math import nan

from torchclinic.observe.records.record import Absence, Record


@dataclass(slots=True)
class Operand:
    """A tensor that went into a loss or a comparison."""

    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    producer: str = ""  # the operation that made it; changes of shape and type are looked through
    producer_line: str = ""
    producer_scale: float = 0.0  # dropout: its probability
    minimum: float = nan
    maximum: float = nan
    finite: bool = True
    row_sum_low: float = nan  # sums over the classes
    row_sum_high: float = nan
    logsumexp_low: float = nan  # over the classes
    logsumexp_high: float = nan
    below_minus_one: float = nan  # share of the values
    below_zero: float = nan
    above_one: float = nan


@dataclass(slots=True)
class LossCall(Record, absence="no loss was seen that compares two tensors, of torch.nn.functional or written by hand"):
    """A call of one of torch.nn.functional's losses, by hand or through its module."""

    function: str
    step: int
    line: str
    where: str
    training: bool  # its value requires grad
    untrained: bool  # no optimizer has stepped yet
    tied: bool  # the model that ran uses one weight as embedding and as output layer
    prediction: Operand
    target: Operand
    classes: int = 0
    result_numel: int = 0
    value: float = nan
    options: dict[str, object] = field(default_factory=dict)
    failed: bool = False  # the call raised
    built: str = ""  # where the loss module was made, if the call went through one


@dataclass(slots=True)
class Elementwise(Record, absence=Absence.IN_TRAINING):
    """Two tensors of the same numbers of dimensions but for ones, (N, 1) and (N,) say, that broadcast against each other,
    outside a model and a loss function."""

    function: str
    step: int
    line: str
    where: str
    left: tuple[int, ...]
    right: tuple[int, ...]
    result: tuple[int, ...]
    comparison: bool
    deliberate: bool  # an axis was inserted on the same line, or both come from one tensor
    left_requires_grad: bool
    right_requires_grad: bool
    reduced: bool = False  # the whole result was summed or averaged


@dataclass(slots=True)
class LossDirection(Record, absence="no known measure of error was seen in a loss"):
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
class UnevenTerms(Record, absence=Absence.IN_TRAINING):
    """A loss that adds a sum over a batch to a mean over the same batch."""

    line: str  # of the sum
    mean_line: str
    step: int
    operation: str
    mean_operation: str
    rows: int  # of the batch
    summed: int  # numbers in the sum
    averaged: int  # numbers in the mean
    factor: float  # of the sum
    mean_factor: float
