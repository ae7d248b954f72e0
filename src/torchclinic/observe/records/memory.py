"""Writes into shared memory, copies, and storages kept alive."""

from dataclasses import dataclass
from typing import Literal

from torchclinic.observe.records.record import Absence, Record


@dataclass(slots=True)
class OverlappingWrite(Record):
    line: str
    operation: str
    step: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    spread_line: str = ""  # where the tensor was expanded, if that was seen
    times: int = 0


@dataclass(slots=True)
class SilentCopy(Record, absence=Absence.IN_ANY_RUN):
    line: str
    operation: str
    nbytes: int
    calls: int
    steps: int
    shape: tuple[int, ...]


@dataclass(slots=True)
class PinnedStorage(Record, absence=Absence.IN_ANY_RUN):
    line: str
    place: Literal["memory", "checkpoint"]
    tensors: int
    used: int  # bytes
    held: int  # bytes
    name: str = ""


@dataclass(slots=True)
class AxesRenamed(Record, absence=Absence.IN_TRAINING):
    """A view of a batch that splits or merges its dimensions as if they lay in another order; no element moves."""

    line: str
    where: str
    operation: str
    step: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    order: tuple[int, ...]  # of the shape with more dimensions: in this order they are what the other one is made of
    calls: int = 1
