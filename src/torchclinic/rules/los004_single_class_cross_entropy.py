"""Cross-entropy over a single class: the loss is identically zero.

## What it means
The softmax of one logit is 1 whatever the logit is. Loss and gradients are exactly 0; nothing is learned.
## Evidence
The size of the class dimension, and the loss.
## When this is fine
Never.
## Fix
For a binary target use one logit with `binary_cross_entropy_with_logits`, or two outputs with `cross_entropy`.
## References
PyTorch documentation, `torch.nn.CrossEntropyLoss`.
"""

from collections.abc import Iterator

from torchclinic.observe.records import LossCall
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed
from torchclinic.vocabulary import LABEL_LOSSES

RULE = Rule("LOS004", "single-class-cross-entropy", "error", "exact", LossCall, __doc__, needs=("cross-entropy",))


def check(call: LossCall) -> Iterator[Finding]:
    if call.function not in LABEL_LOSSES or call.classes != 1:
        return
    yield RULE.finding(
        f"`{call.function}` sees one class (input {call.prediction.shape}): its value is 0 and so is every gradient.",
        where=call.where,
        line=call.built or call.line,
        step=call.step,
        evidence={"classes": 1, "loss": call.value, "shape": str(call.prediction.shape)},
        fix="Use `binary_cross_entropy_with_logits` with a float target, or one output per class.",
    )


def sick() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("nn.Linear(8, 3)", "nn.Linear(8, 1)"), ("randint(0, 3,", "randint(0, 1,")))


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
