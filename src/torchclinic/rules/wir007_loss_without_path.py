"""Backward starts at a tensor that no parameter contributed to.

## What it means
The loss was wrapped again (`torch.tensor(loss)`), recomputed from numbers, or made from detached predictions.
Parameters get no gradient at all, or backward raises an error.
## Evidence
The tensor on which backward was called, where it was made, and the number of parameters its graph reaches (0).
## When this is fine
A backward for the gradient of an input (saliency, adversarial examples) with no optimizer waiting for it.
## Fix
Call `backward()` on the tensor that the loss function returned; keep predictions attached.
## References
PyTorch documentation, `torch.tensor` (copies data, no history).
"""

from collections.abc import Iterator

from torchclinic.observe.records import BackwardPass, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("WIR007", "loss-without-path", "error", "exact", RunRecord, __doc__)


def check(run: RunRecord) -> Iterator[Finding]:
    if run.failure is not None and "does not require grad" in run.failure.message:
        yield _finding("Backward was called on a tensor that requires no grad", run.failure.line, run.steps, 0)
        return
    lost = [b for b in run.of(BackwardPass) if not b.parameters_reached]
    steps = [step for step in run.steps_seen if step.empty and not step.left_by_backward]
    nothing_learned = not any(p.owned and p.reached for p in run.parameters)
    if lost and steps and (lost[0].root_is_leaf or not lost[0].inputs_reached or nothing_learned):
        first = lost[0]
        yield _finding("Backward was called on a tensor without a history", first.root_line, first.step, len(lost))


def _finding(what: str, line: str, step: int, backwards: int) -> Finding:
    return RULE.finding(
        f"{what}: its graph reaches no parameter, so nothing can learn from it.",
        line=line,
        step=step,
        evidence={"parameters_reached": 0, "backward_passes": backwards},
        fix="Call `backward()` on the tensor the loss function returned, and keep predictions attached.",
    )


def sick() -> Specimen:
    return Specimen(
        changed(
            CLASSIFIER, ("    loss.backward()", "    loss = torch.tensor(loss.item(), requires_grad=True)\n    loss.backward()")
        )
    )


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
