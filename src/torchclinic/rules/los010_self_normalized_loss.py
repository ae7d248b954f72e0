"""The loss is divided by its own value: it is constant.

## What it means
`loss / loss.detach()` is 1 at every step: the curve shows nothing, and the gradient is that of log(loss), whatever the
scale of the loss.
## Evidence
Backward starts at a quotient of a tensor by itself (or by its `.item()`), and the value was 1 at every observed step.
## When this is fine
Several terms that are each divided by their own size and then added: the sum is not reported.
## Fix
Divide by a constant, or by a running mean of earlier losses; log the undivided loss.
## References
d(L / stop(L))/dw = (dL/dw) / L = d log(L)/dw.
"""

from collections.abc import Iterator

from torchclinic.observe.records import BackwardPass, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("LOS010", "self-normalized-loss", "error", "exact", RunRecord, __doc__)


def check(run: RunRecord, *, steps: int = 3) -> Iterator[Finding]:
    """`steps`: a quotient that is exactly 1 at three different steps is 1 by construction."""
    passes = [p for p in run.of(BackwardPass) if p.root_operation == "div"]
    ones = [p for p in passes if abs(p.value - 1) < 1e-5]
    if len(ones) < steps or len(ones) < len(passes):
        return
    first = ones[0]
    yield RULE.finding(
        f"Backward starts at a quotient whose value is 1 at each of {len(ones)} observed steps: the loss is divided by itself.",
        line=first.root_line,
        step=first.step,
        evidence={"value": first.value, "steps": len(ones), "divided_by_itself": first.numerator_is_denominator},
        fix="Do not divide the loss by its own value; a smaller learning rate does what was meant.",
    )


def sick() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("    loss.backward()", "    loss = loss / loss.detach()\n    loss.backward()")))


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
