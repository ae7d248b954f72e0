"""Clearing and stepping are out of phase: some gradients are thrown away, others count more than once.

## What it means
With accumulation over k batches, `zero_grad` must come once per step. Clearing in every iteration leaves only the last
batch; clearing less often than stepping uses the same gradient several times.
## Evidence
The order of events for this optimizer: B = backward that reaches its parameters, Z = clear, S = step; how many
backward passes were cleared before any step used them, or used by more than one step.
## When this is fine
k backwards, one step, one clear. A backward for the gradient of an input (adversarial training), or one that another
optimizer uses (GAN), may be cleared; so may one after which the script itself changed the parameters (sharpness-aware
minimization). An optimizer that is never cleared is WIR001.
## Fix
Put `step()` and `zero_grad()` under the same condition.
## References
PyTorch documentation, AMP examples, Gradient accumulation.
"""

import re
from collections.abc import Iterator

from torchclinic.observe.records import OptimizerRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("WIR010", "uneven-accumulation", "error", "exact", OptimizerRecord, __doc__)


def check(optimizer: OptimizerRecord, *, cycles: int = 2) -> Iterator[Finding]:
    """`cycles`: a pattern that repeats is a habit of the loop; a single one may be a skipped batch."""
    pattern = optimizer.pattern.replace("b", "")
    if pattern.count("S") < cycles or optimizer.input_backwards:
        return
    rounds = [part for part in pattern.split("S")[:-1] if part]
    thrown = [len(re.findall(r"B(?=Z+B)", part)) for part in rounds[1:]]
    if not optimizer.alone and any(thrown):
        return
    if sum(bool(count) for count in thrown) >= cycles and sum(thrown) >= 2:
        yield _finding(
            optimizer, f"{sum(thrown)} of {pattern.count('B')} backward passes were cleared before any step", sum(thrown)
        )
        return
    middle = pattern.strip("Z")
    reused = len(re.findall(r"S(?=B+S)", middle))
    if optimizer.stale_steps and "Z" in middle[middle.find("S") :] and reused >= cycles:
        yield _finding(optimizer, f"{reused} steps used gradients that an earlier step had already used", reused)


def _finding(optimizer: OptimizerRecord, what: str, count: int) -> Finding:
    return RULE.finding(
        f"{what}: `zero_grad` and `step` of {optimizer.name} are out of phase (events {optimizer.pattern[:16]}…).",
        line=optimizer.clear_line or optimizer.line,
        step=0,
        evidence={"events": optimizer.pattern[:60], "count": count, "steps": optimizer.steps},
        fix="Call `optimizer.zero_grad()` directly after each `optimizer.step()`, under the same condition.",
    )


def sick() -> Specimen:
    return Specimen(_SCRIPT)


def healthy() -> Specimen:
    return Specimen(
        changed(
            _SCRIPT, ("    optimizer.zero_grad()\n", ""), ("optimizer.step()", "optimizer.step()\n        optimizer.zero_grad()")
        )
    )


_SCRIPT = changed(
    CLASSIFIER,
    ("start in range(0, 80, 8)", "i, start in enumerate(range(0, 80, 4))"),
    ("+ 8]", "+ 4]"),
    ("    optimizer.step()", "    if i % 4 == 3:\n        optimizer.step()"),
)
