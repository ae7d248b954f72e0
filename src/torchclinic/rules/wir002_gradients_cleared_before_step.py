"""Gradients are cleared between backward and step: the step sees nothing.

## What it means
`backward` left non-zero gradients, they were set to zero or None, and the optimizer stepped on that. Nothing is
learned.
## Evidence
The line that cleared, after the last backward before the step, and that every gradient is zero or None at the step.
## When this is fine
Never for a step whose every gradient was cleared. A clear before `backward` is where it belongs.
## Fix
Order: `zero_grad()`, `backward()`, `step()`.
## References
PyTorch documentation, `torch.optim`, Taking an optimization step.
"""

from collections.abc import Iterator

from torchclinic.observe.records import StepRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("WIR002", "gradients-cleared-before-step", "error", "exact", StepRecord, __doc__, follows=("WIR010",))


def check(step: StepRecord) -> Iterator[Finding]:
    if not (step.empty and step.left_by_backward and step.backwards and step.path_exists):
        return
    line = step.clear_line if step.cleared_after_backward else step.line
    by = f" on line {line}" if step.cleared_after_backward else ""
    yield RULE.finding(
        f"{step.name}.step() found every gradient zero or None: they were cleared{by}, after backward had computed them.",
        line=line,
        step=step.step,
        evidence={"parameters": step.owned, "with_gradient": step.with_gradient, "step_line": step.line},
        fix="Call `optimizer.zero_grad()` before `loss.backward()`, not between it and `optimizer.step()`.",
    )


def sick() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("loss.backward()", "loss.backward()\n    optimizer.zero_grad()")))


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
