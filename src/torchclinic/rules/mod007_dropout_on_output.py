"""Dropout acts on the output that the loss sees.

## What it means
Whole logits or predictions are set to zero at random and the others scaled up: the targets of the dropped ones cannot
be learned, and the loss has a floor of noise.
## Evidence
The operation that made the loss's input is a dropout with probability `p` in training; the number of outputs.
## When this is fine
Dropout before the last layer. Noise on a representation that another layer reads is not reported.
## Fix
Move the dropout before the last linear layer.
## References
Srivastava et al. 2014, Journal of Machine Learning Research 15, section 4: dropout acts on hidden and input units.
"""

from collections.abc import Iterator

from torchclinic.observe.records import LossCall
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("MOD007", "dropout-on-output", "error", "exact", LossCall, __doc__)


def check(call: LossCall) -> Iterator[Finding]:
    if not call.training or "dropout" not in call.prediction.producer or not call.prediction.producer_scale:
        return
    p = call.prediction
    yield RULE.finding(
        f"`{call.function}` receives the output of a dropout with p = {p.producer_scale:g}: on average that share of its "
        f"{p.shape[-1] if p.shape else 1} outputs per sample is zeroed.",
        where=call.where,
        line=p.producer_line or call.line,
        step=call.step,
        evidence={"p": p.producer_scale, "outputs": p.shape[-1] if p.shape else 1, "loss_line": call.line},
        fix="Move the dropout before the last layer.",
    )


def sick() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("nn.Linear(8, 3))", "nn.Linear(8, 3), nn.Dropout(0.3))")))


def healthy() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("nn.ReLU(),", "nn.ReLU(), nn.Dropout(0.3),")))
