"""State dicts that are taken, used again and loaded."""

from dataclasses import dataclass
from typing import Literal

from torchclinic.observe.records.record import Absence, Record


@dataclass(slots=True)
class CheckpointUse(Record, absence=Absence.IN_ANY_RUN):
    """A state dict taken earlier was used again."""

    taken_line: str
    taken_step: int
    used_line: str
    used_step: int
    use: Literal["load", "save"]
    aliased: int  # tensors that share memory with live parameters
    tensors: int
    takes: int  # how often a state dict of that module was taken
    same_module: bool  # loaded back into the module it was taken from


@dataclass(slots=True)
class LoadRecord(Record, absence=Absence.IN_ANY_RUN):
    line: str
    step: int
    model: str
    strict: bool
    keys: int
    matched: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    prefix: str  # removing or adding it would match the keys; empty = none does
    overwritten: int = 0  # loaded weights that differed at the first training step
    weights: int = 0
