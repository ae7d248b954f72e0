"""The schedule is advanced before the optimizer's first step.

## What it means
The first value of the schedule (of a warm-up, the smallest) is never used: every step has the rate meant for the next.
## Evidence
The scheduler's first call after its construction came while its optimizer had not stepped.
## When this is fine
A gradient scaler that skips the first steps because of overflow; the older `scheduler.step(epoch)` at the beginning of an
epoch, counted from 0: the first call sets the first value once more.
## Fix
`optimizer.step()`, then `scheduler.step()`.
## References
PyTorch documentation, `torch.optim.lr_scheduler`: since 1.1.0 the scheduler is called after the optimizer.
"""

from collections.abc import Iterator

from torchclinic.observe.records import SchedulerRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule(
    "OPT004", "scheduler-before-optimizer", "warning", "exact", SchedulerRecord, __doc__, follows=("OPT003",), needs=("a schedule",)
)


def check(scheduler: SchedulerRecord) -> Iterator[Finding]:
    if not scheduler.first_before_optimizer or not scheduler.optimizer_steps:
        return
    yield RULE.finding(
        f"{scheduler.name} was advanced before its optimizer's first step: its first value was skipped.",
        line=scheduler.line,
        step=0,
        evidence={"scheduler_calls": scheduler.calls, "optimizer_steps": scheduler.optimizer_steps},
        fix="Call `scheduler.step()` after `optimizer.step()`.",
    )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("    optimizer.step()\n    schedule.step()", "    schedule.step()\n    optimizer.step()")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(
    'import warnings\n\nwarnings.simplefilter("ignore")' + CLASSIFIER,
    ("for start", "schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5)\nfor start"),
    ("    optimizer.step()\n", "    optimizer.step()\n    schedule.step()\n"),
)
