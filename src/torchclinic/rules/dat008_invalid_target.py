"""A class index out of range, or NaN or infinity in inputs or targets.

## What it means
An index outside 0 … C-1 stops the script on the CPU and corrupts the run on a GPU. A single NaN in the data makes every
parameter NaN within one step.
## Evidence
Smallest and largest index and the number of classes; or the operand that is not finite.
## When this is fine
The loss's `ignore_index`; minus infinity in an additive mask that the model is given.
## Fix
Number the classes from 0; filter or impute missing values before training.
## References
PyTorch documentation, `torch.nn.CrossEntropyLoss`, target in [0, C).
"""

from collections.abc import Iterator

from torchclinic.observe.records import ForwardPass, LossCall, RunRecord
from torchclinic.report.model import Finding, Value
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed
from torchclinic.vocabulary import LABEL_LOSSES

RULE = Rule("DAT008", "invalid-target", "error", "exact", RunRecord, __doc__)


def check(run: RunRecord) -> Iterator[Finding]:
    for call in run.of(LossCall):
        target, indices = call.target, not call.target.dtype.startswith(("float", "bfloat", "complex"))
        if call.function in LABEL_LOSSES and indices and call.classes > 1:
            if target.minimum < 0 or target.maximum >= call.classes:
                yield _finding(
                    f"The targets run from {target.minimum:.0f} to {target.maximum:.0f}; with {call.classes} classes they must "
                    f"lie in 0 … {call.classes - 1}.",
                    call,
                    "Number the classes from 0, and give the last layer one output per class.",
                )
                return
        elif not indices and not target.finite and not target.requires_grad and call.prediction.finite:
            yield _finding("The targets contain NaN or infinity.", call, "Filter or impute missing targets.")
            return
    for other in run.of(ForwardPass):
        if not other.input_finite:
            yield RULE.finding(
                f"The data that enter {other.model} contain NaN or infinity.",
                where=other.model,
                line=other.line,
                step=other.step,
                evidence={"finite": False, "step": other.step},
                fix="Filter or impute missing values before training.",
            )
            return


def _finding(message: str, call: LossCall, fix: str) -> Finding:
    evidence: dict[str, Value] = {"smallest": call.target.minimum, "largest": call.target.maximum, "classes": call.classes}
    return RULE.finding(message, where=call.where, line=call.line, step=call.step, evidence=evidence, fix=fix)


def sick() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("randint(0, 3, (80,))", "randint(1, 4, (80,))")))


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
