"""Prediction and target are swapped in the call of the loss.

## What it means
Losses that treat their arguments differently then compute something else: the prediction is read as the truth.
## Evidence
The target requires grad, the prediction does not.
## When this is fine
Symmetric losses (mean squared error and the like) give the same value and are not reported. A reversed KL divergence
can be meant: for `kl_div` this is a warning.
## Fix
Prediction first, target second.
## References
PyTorch documentation, `torch.nn.functional.binary_cross_entropy(input, target)`.
"""

from collections.abc import Iterator
from dataclasses import replace

from torchclinic.observe.records import LossCall
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import is_loss
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import REGRESSION, changed
from torchclinic.script.statements import Statement
from torchclinic.vocabulary import LOSSES, REGRESSION_LOSSES

RULE = Rule("LOS006", "swapped-loss-arguments", "error", "exact", LossCall, __doc__)


def check(call: LossCall) -> Iterator[Finding]:
    if call.function not in _ASYMMETRIC or not call.target.requires_grad or call.prediction.requires_grad:
        return
    finding = RULE.finding(
        f"In `{call.function}` the target requires grad and the prediction does not: the arguments are swapped.",
        where=call.where,
        line=call.line,
        step=call.step,
        evidence={
            "prediction_requires_grad": False,
            "target_requires_grad": True,
            "target_made_by": call.target.producer,
            "loss": call.value,
        },
        fix="Pass the prediction first and the target second.",
    )
    yield replace(finding, severity="warning") if call.function == "kl_div" else finding


_ASYMMETRIC = LOSSES - REGRESSION_LOSSES - {"multi_margin_loss"}


def correct(statement: Statement, finding: Finding) -> str | None:
    for call in statement.calls():
        if len(call.args) == 2 and is_loss(call):
            first, second = call.args
            return statement.edited((first, statement.text(second)), (second, statement.text(first)))
    return None


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("(model(xb).sigmoid(), yb)", "(yb, model(xb).sigmoid())")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(
    REGRESSION,
    ("mse_loss(model(xb), ", "binary_cross_entropy(model(xb).sigmoid(), "),
    ("y = x.sum(dim=1, keepdim=True) / 2", "y = (x.sum(dim=1, keepdim=True) > 0).float() * 0.9 + 0.05"),
)
