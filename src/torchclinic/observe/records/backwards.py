"""Backward passes, the graphs that outlive them, and the first number that is not finite."""

from dataclasses import dataclass
from typing import Literal

from torchclinic.observe.records.record import Absence, Record


@dataclass(slots=True)
class BackwardPass(Record):
    """A backward pass that was observed in full."""

    step: int
    line: str
    root_line: str  # where the tensor it started from was made
    root_operation: str
    root_is_leaf: bool
    root_shape: tuple[int, ...]
    value: float
    parameters_reached: int
    inputs_reached: int  # leaves that are neither parameters nor owned by an optimizer
    numerator_is_denominator: bool = False  # the root is x / x
    error: str = ""  # the loss of torch.nn.functional that the root, written by hand, rises with and falls with
    error_mean: bool = False  # and is, averaged over all elements


@dataclass(slots=True)
class CutDraw(Record):
    """A draw without gradient from a distribution that is trained, on which the loss depends by operations with gradients."""

    line: str
    step: int
    parameters: tuple[str, ...]  # modules that made the parameters of the distribution
    shape: tuple[int, ...]
    backwards: int = 0  # observed passes in which it kept a gradient from them


@dataclass(slots=True)
class RetainedGraph(Record, absence=Absence.IN_TRAINING):
    line: str
    step: int
    losses: int  # losses of different steps that one live tensor, or a list, still holds with their graph
    kind: Literal["sum", "list"]


@dataclass(slots=True)
class NonFinite(Record, absence=Absence.IN_TRAINING):
    """The first NaN or infinity."""

    phase: Literal["forward", "backward", "parameter", "data"]
    step: int
    line: str
    where: str
    operation: str
    value: str  # nan | inf
    trap: str = ""  # sqrt-at-zero | where | log-of-zero | ...
    inputs_finite: bool = True
    certain: bool = True  # the producer was seen, not inferred
