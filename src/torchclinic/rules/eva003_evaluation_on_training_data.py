"""Samples that are evaluated as held out were trained on.

## What it means
The split overlaps, or the evaluation loads the training part: the reported accuracy is that of memory.
## Evidence
`seen` of `rows` evaluated as `name` are, bit for bit, rows that training forwards were observed to use; those are a part
of all, so the true overlap is larger. `name`: what the script calls the data or their loader, or a word in the statement
that evaluates them (not in a function with parameters: what it says of its data it says of all that it is handed).
## When this is fine
The training accuracy, measured on purpose: where a name or the statement says training, or nothing says held out, is not
judged. Data with few distinct rows, where equality means nothing: rows of fewer than four numbers are not compared.
Models whose loss has fewer labels than the forward has rows (the nodes of a graph): not every row was trained on.
## Fix
Split once, before anything else, and by sample: `torch.utils.data.random_split`, or disjoint index ranges.
## References
Kapoor and Narayanan 2023, Patterns 4:100804 (leakage, type L1).
"""

from collections.abc import Iterator

from torchclinic.observe.records import HeldOutUse
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import CLASSIFIER

RULE = Rule("EVA003", "evaluation-on-training-data", "error", "exact", HeldOutUse, __doc__, needs=("an evaluation",))


def check(record: HeldOutUse, *, least_rows: int = 5, least_share: float = 0.02) -> Iterator[Finding]:
    """Honest splits of public data share a few equal rows: `least_share` lets one in fifty pass. `chance`: the share
    that would be equal by chance, from how often training rows that were drawn apart equal each other."""
    if 0 < record.seen <= record.chance * record.rows:
        raise Undecided(f"rows of {record.name} may equal training rows by chance, up to {record.chance:.0%} of them")
    if record.seen >= least_rows and record.seen >= least_share * record.rows:
        yield RULE.finding(
            f"{record.seen} of {record.rows} rows evaluated as `{record.name}` are rows that training has used.",
            line=record.line,
            step=record.step,
            evidence={"seen": record.seen, "rows": record.rows, "name": record.name},
            fix="Split by sample before training, and evaluate on the part that training never draws.",
        )


_EVALUATE = """
with torch.no_grad():
    test_x, test_y = x[TEST], y[TEST]
    accuracy = (model(test_x).argmax(1) == test_y).float().mean()
"""


def sick() -> Specimen:
    return Specimen(CLASSIFIER + _EVALUATE.replace("TEST", "40:"))


def healthy() -> Specimen:
    return Specimen(CLASSIFIER.replace("range(0, 80, 8)", "range(0, 40, 8)") + _EVALUATE.replace("TEST", "40:"))
