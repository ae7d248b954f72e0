"""A schedule of the learning rate is made and never advanced.

## What it means
The rate stays at its first value: no decay, or a warm-up that stays at its beginning.
## Evidence
`steps` of the optimizer, no call of the schedule's `step()`; the rate it stayed at.
## When this is fine
A run that was stopped before its end; a part of a `SequentialLR` or `ChainedScheduler` whose turn has not come; one of
several that were made for the same optimizer, where another is advanced; one that the loop advances under a condition,
such as `if epoch > 10`, that did not come true before the run's end.
## Fix
Call `scheduler.step()` once per epoch, after the optimizer's steps (once per batch if its horizon counts batches).
## References
PyTorch documentation, `torch.optim.lr_scheduler`, How to adjust learning rate.
"""

from collections.abc import Iterator

from torchclinic.observe.records import RunRecord, ScheduleMade
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("OPT008", "schedule-never-advanced", "warning", "exact", RunRecord, __doc__, needs=("a schedule",))


def check(run: RunRecord, *, min_steps: int = 8) -> Iterator[Finding]:
    """`min_steps`: with fewer it could be a trial of the loop."""
    schedules = run.of(ScheduleMade)
    used = {schedule.optimizer for schedule in schedules if schedule.calls}
    idle = [schedule for schedule in schedules if schedule.optimizer not in used and not schedule.held]
    awaiting = ""
    for schedule in idle if run.finished else ():
        optimizer = next((o for o in run.optimizers if o.index == schedule.optimizer), None)
        if optimizer is None or optimizer.steps < min_steps:
            continue
        if schedule.condition:
            awaiting = schedule.condition
            continue
        yield RULE.finding(
            f"{schedule.name} was made for {optimizer.name} and never advanced: all {optimizer.steps} steps were taken "
            f"at the rate {optimizer.lr_last:.3g}.",
            line=schedule.line,
            step=optimizer.steps,
            evidence={"steps": optimizer.steps, "calls": 0, "rate": optimizer.lr_last},
            fix="Call `scheduler.step()` at the end of every epoch.",
        )
    if awaiting:
        raise Undecided(f"{awaiting} advances the schedule under a condition that did not come true in this run")


_SCRIPT = changed(
    CLASSIFIER,
    ("for start", "schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5)\nfor start"),
    ("    optimizer.step()\n", "    optimizer.step()\n    schedule.step()\n"),
)


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("    schedule.step()\n", "")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)
