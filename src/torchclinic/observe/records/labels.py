"""The labels that training and evaluation meet."""

from dataclasses import dataclass, field
from math import nan

from torchclinic.observe.records.record import Record


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
    value: float = nan
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
class LabelStream(Record, absence="no loss was seen whose target is one class per sample"):
    """All label batches of one loss call's line."""

    line: str
    batches: list[LabelBatch] = field(default_factory=list)
    steps: int = 0  # of the run
    optimizers: int = 1
    loader: bool = False  # drawn from a loader between observed steps: nothing is known of the predictions
    several: bool = False  # more than one loss call with labels in some step
    evaluations: list[EvaluatedLabels] = field(default_factory=list)
