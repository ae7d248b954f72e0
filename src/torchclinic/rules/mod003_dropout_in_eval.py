"""In eval mode the model still drops values: two passes of the same batch differ.

## What it means
Dropout called as a function does not know the model's mode; its default is to drop. Every evaluation and every
prediction is then noisy, and worse than the model is.
## Evidence
`difference` between two eval passes of the same batch, as a share of how much the outputs of samples differ;
`function` that drops, on `line`.
## When this is fine
Noise that the method asks for: sampling in a variational model, dropout whose `training=True` is written out. Then
this rule abstains. Dropout modules put back into train mode after `eval()` are not touched by it.
## Fix
`F.dropout(x, p, training=self.training)`, `dropout_p=self.p if self.training else 0.0`, or an `nn.Dropout` module.
## References
PyTorch documentation, `torch.nn.functional.dropout`; Srivastava et al. 2014, JMLR 15:1929, section 4.
"""

from collections.abc import Iterator

from torchclinic.observe.records import EvalPass
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("MOD003", "dropout-in-eval", "error", "probe", EvalPass, __doc__)


def check(record: EvalPass, *, least_difference: float = 1e-3) -> Iterator[Finding]:
    """`least_difference`: below it the order of summation, which some kernels do not fix, explains the difference."""
    if not record.difference > least_difference:
        return
    drops = [call for call in record.random_calls if call.drops and not call.asked_for]
    if not drops:
        sources = ", ".join(f"{call.function} ({call.line})" for call in record.random_calls) or "an unknown source"
        raise Undecided(f"two eval passes of {record.model} differ, by the numbers of {sources}: by design or not")
    first = drops[0]
    yield RULE.finding(
        f"{record.model} in eval mode gives different outputs for the same batch: {first.function} drops values there; "
        f"the change is {record.difference:.2g} of the spread between samples.",
        line=first.line,
        step=record.step,
        evidence={"difference": record.difference, "function": first.function, "calls": len(drops)},
        fix="Pass `training=self.training` (or a probability of 0 in eval mode), or use an `nn.Dropout` module.",
    )


_MODEL = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.last(nn.functional.dropout(self.first(x).relu(), 0.2, DROP))


model = Net()
"""


def _script(*drop: str) -> str:
    model = _MODEL.replace(", DROP", "".join(drop))
    return changed(CLASSIFIER, ("model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))", model))


def sick() -> Specimen:
    return Specimen(_script())


def healthy() -> Specimen:
    return Specimen(_script(", self.training"))
