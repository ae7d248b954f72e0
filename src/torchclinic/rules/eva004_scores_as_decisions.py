"""An accuracy compares scores with labels: they are never equal.

## What it means
`torch.max(scores, dim)` returns the largest values first and their indices second; the values are no classes. Or logits
and probabilities are compared without a decision. The reported accuracy is 0 whatever the model has learnt.
## Evidence
`between` of `rows` numbers compared with integer labels lie between two integers; `equal` of them equal their label.
## When this is fine
Rounded predictions, and indices stored as floating-point numbers: they are integers, and are not counted.
## Fix
`scores.argmax(dim)`, or the second result of `torch.max(scores, dim)`; for one logit, `(logit > 0).long()`.
## References
PyTorch documentation, `torch.max`: the namedtuple (values, indices).
"""

from collections.abc import Iterator

from torchclinic.observe.records import ScoreComparison
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER

RULE = Rule("EVA004", "scores-as-decisions", "error", "exact", ScoreComparison, __doc__, needs=("an evaluation",))


def check(record: ScoreComparison, *, share: float = 0.9) -> Iterator[Finding]:
    """`share`: a score may be an integer by chance, or saturate at one (a probability of 1, a clamped value)."""
    if record.between < share * record.rows:
        return
    values = record.made == "max"
    yield RULE.finding(
        f"{record.between} of {record.rows} numbers that are compared with integer labels lie between two integers, and "
        f"{record.equal} are equal to theirs: "
        f"{'the largest scores are compared, not their positions' if values else 'scores are compared, not decisions'}.",
        line=record.line,
        step=record.step,
        evidence={"between": record.between, "rows": record.rows, "equal": record.equal, "made_by": record.made},
        fix="Compare `scores.argmax(dim=1)`, or the second result of `torch.max(scores, 1)`."
        if values
        else "Compare decisions: `scores.argmax(dim=1)`, or `(logit > 0).long()` for a single logit.",
    )


_EVALUATE = """
with torch.no_grad():
    largest, position = torch.max(model(x), 1)
    accuracy = (WHICH == y).float().mean()
"""


def sick() -> Specimen:
    return Specimen(CLASSIFIER + _EVALUATE.replace("WHICH", "largest"))


def healthy() -> Specimen:
    return Specimen(CLASSIFIER + _EVALUATE.replace("WHICH", "position"))
