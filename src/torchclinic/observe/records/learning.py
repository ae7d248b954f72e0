"""What a run achieved, beside what is possible."""

from dataclasses import dataclass, field
from math import nan

from torchclinic.observe.records.evaluation import Agreement
from torchclinic.observe.records.record import Absence, Record


@dataclass(slots=True)
class FittedBatch:
    """One training batch: what the model said of it before its step."""

    step: int
    agreement: Agreement = field(default_factory=Agreement)  # of decisions with labels
    numbers: float = 0.0  # of a regression: how many, the squares of their errors, their sum and their squares
    errors: float = 0.0
    total: float = 0.0
    squares: float = 0.0


@dataclass(slots=True)
class Learning(Record, absence=Absence.IN_TRAINING):
    """The training batches of one loss call's line, and a reference on the rows that the first model was called with."""

    line: str
    function: str
    classes: int = 0  # 0: a regression
    batches: list[FittedBatch] = field(default_factory=list)
    several: bool = False  # other losses with targets were called in the same step
    reference: str = ""  # what answered the same rows, fitted on other rows; empty: nothing could
    reference_rows: int = 0
    reached: Agreement = field(default_factory=Agreement)  # by the reference
    explained: float = nan  # share of the targets' variance that the reference explains
    unreferenced: str = ""  # why there is no reference
    constant: float = nan  # the mean loss of the best constant prediction

    def late(self, step: int, sure: float) -> tuple[float, float]:
        """Rows that were fitted from `step` on, and kappa on them (0 if it is within `sure` standard errors), or the share
        of their targets' variance that was explained."""
        batches = [batch for batch in self.batches if batch.step >= step]
        total = Agreement()
        for batch in batches:
            total.add([batch.agreement.rows, batch.agreement.hits, batch.agreement.expected])
        if self.classes:
            return total.rows, 0.0 if abs(total.kappa) < sure * total.error(0.0) else total.kappa
        numbers = sum(batch.numbers for batch in batches)
        mean = sum(batch.total for batch in batches) / numbers if numbers else nan
        spread = sum(batch.squares for batch in batches) - numbers * mean**2
        return numbers, 1 - sum(batch.errors for batch in batches) / spread if spread > 0 else nan

    def referred(self, sure: float) -> float:
        """The same for the reference, `sure` standard errors lower."""
        return self.reached.kappa - sure * self.reached.error(self.reached.kappa) if self.classes else self.explained


@dataclass(slots=True)
class Refit(Record, absence=Absence.IN_TRAINING):
    """A copy of the model late in the run, trained on its last batch alone by an optimizer of ours."""

    model: str
    step: int  # of the copy
    rows: int
    function: str
    constant: float  # the error of the best constant prediction on the batch
    before: float
    after: float
    updates: int
