"""Optimizers, their steps and schedules."""

from dataclasses import dataclass
from math import nan

from torchclinic.observe.records.record import Absence, Record


@dataclass(slots=True)
class StepRecord(Record, absence="no optimizer stepped without a closure while it was observed"):
    """One `optimizer.step()`."""

    optimizer: int
    name: str
    step: int
    line: str
    lr: float
    observed: bool
    backwards: int  # since its previous step
    cleared: bool  # gradients were found or made zero or None since its previous step
    cleared_after_backward: bool
    clear_line: str = ""
    stale: int = 0  # parameters whose gradient was consumed before, not cleared, and added to
    owned: int = 0
    with_gradient: int = 0
    empty: bool = False  # every gradient is None or zero
    foreign_line: str = ""  # a backward made for another optimizer, which stepped on it, and whose gradients were kept here
    left_by_backward: bool = False  # the last backward had left non-zero gradients on owned parameters
    path_exists: bool = True  # a backward since the previous step reached an owned parameter
    moved: int = 0  # parameters that differ after the step
    gradient_norm: float = nan
    update_norm: float = nan
    weight_norm: float = nan
    stale_norm: float = nan
    example: str = ""


@dataclass(slots=True)
class OptimizerRecord(Record, absence="no optimizer was seen"):
    index: int
    name: str
    line: str
    owned: int
    steps: int
    pattern: str  # B backward that reaches it, b another, I one for an input, Z clear, S step; the first few hundred
    orphans: int  # owned parameters that never had a gradient and belong to no model in use
    lr_first: float
    lr_max: float
    lr_last: float
    tail_share: float  # share of the steps, at the end, with a rate below 1e-4 of the highest
    tail_start: int
    alone: bool = True  # the only optimizer
    stale_steps: int = 0
    clear_line: str = ""
    input_backwards: bool = False  # some backward was for the gradient of an input
    climbing: bool = False  # its rate has risen from the first to the last step, and not slowed down


@dataclass(slots=True)
class SchedulerRecord(Record, absence=Absence.IN_TRAINING):
    name: str
    line: str
    calls: int
    first_before_optimizer: bool
    optimizer_steps: int
    epochs: int
    horizon: int  # T_max, total_iters, total_steps or step_size; 0 = none
    horizon_name: str
    plateau: bool
    optimizer: int = -1


@dataclass(slots=True)
class ScheduleMade(Record):
    """A schedule of the learning rate, from where it was made."""

    name: str
    line: str
    optimizer: int
    calls: int = 0  # of its `step`, by the script or by another schedule
    held: bool = False  # another schedule advances it in its turn
    condition: str = ""  # a line that advances it under an `if` of the loop
