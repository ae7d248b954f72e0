"""Loaders, their workers, and the batches that models are given."""

from dataclasses import dataclass

from torchclinic.observe.records.record import Absence, Record


@dataclass(slots=True)
class LoaderRecord(Record):
    line: str
    batches: int  # len(loader)
    iterators: int
    drawn: int
    single: int  # iterators that gave exactly one batch
    built: str = ""  # where the loader was made


@dataclass(slots=True)
class BatchRun(Record, absence="no training batch was seen"):
    """The longest run of consecutive training forwards on bitwise the same batch."""

    model: str
    line: str
    length: int
    total: int
    rows: int
    source_rows: int  # rows of the larger tensor the batch was cut from; 0 = unknown
    fresh: bool  # a new tensor each time
    source: str  # loader | slice | ""


@dataclass(slots=True)
class MutatedData(Record, absence=Absence.IN_TRAINING):
    line: str
    operation: str
    step: int
    shape: tuple[int, ...]
    base_shape: tuple[int, ...]
    times: int
    feeds_model: bool


@dataclass(slots=True)
class WorkerRandomness(Record, absence=Absence.IN_TRAINING):
    """Loader workers that started with the same random state, and drew from it."""

    line: str
    workers: int
    alike: int
    source: str
    seeded_by: str = ""


@dataclass(slots=True)
class PaddingMask(Record, absence=Absence.IN_TRAINING):
    """A mask over the positions of a model's input, by which attention scores were filled with a forbidden value."""

    line: str
    where: str
    step: int
    tokens: bool  # the input holds integers; else a position counts as empty where all its numbers are zero
    calls: int = 0
    inverted: int = 0  # of them, what was left was one and the same token, and what was hidden were others
