"""The learning rate is practically zero long before training ends.

## What it means
The schedule has run out: usually it is advanced once per batch while its horizon counts epochs. The remaining steps
change nothing; or a cosine schedule swings back up, again and again.
## Evidence
Share of the steps at the end with a rate below 1e-4 of the highest; or how often a schedule with a fixed horizon was
advanced, against that horizon.
## When this is fine
Decay to zero at the end; a plateau schedule; warm restarts; a rate that is lowered to a thousandth.
## Fix
Call `scheduler.step()` once per epoch, or give the horizon in batches.
## References
PyTorch documentation, `torch.optim.lr_scheduler`, How to adjust learning rate.
"""

from collections.abc import Iterator

from torchclinic.observe.records import RunRecord, SchedulerRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("OPT003", "schedule-exhausted", "warning", "exact", RunRecord, __doc__, needs=("a schedule",))


def check(run: RunRecord, *, share: float = 0.2, least_steps: int = 10) -> Iterator[Finding]:
    """`share`: a cosine to zero spends 0.6 % of its steps below 1e-4 of the peak, a linear one 0.01 %."""
    schedules = run.of(SchedulerRecord)
    for optimizer in run.optimizers:
        own = [s for s in schedules if s.optimizer == optimizer.index and not s.plateau]
        idle = round(optimizer.tail_share * optimizer.steps)
        if own and optimizer.tail_share > share and idle >= least_steps:
            yield RULE.finding(
                f"The learning rate of {optimizer.name} falls from {optimizer.lr_max:.3g} to {optimizer.lr_last:.3g} at step "
                f"{optimizer.tail_start}; the last {idle} of {optimizer.steps} steps change practically nothing.",
                line=own[0].line,
                step=optimizer.tail_start,
                evidence={
                    "highest_lr": optimizer.lr_max,
                    "last_lr": optimizer.lr_last,
                    "idle_steps": idle,
                    "scheduler_calls": own[0].calls,
                },
                fix=_FIX,
            )
        for s in own:
            if s.name == "CosineAnnealingLR" and s.calls >= 3 * s.horizon > 0 and s.calls >= least_steps:
                yield RULE.finding(
                    f"CosineAnnealingLR has T_max = {s.horizon} and was advanced {s.calls} times: the rate swings back up every "
                    f"{s.horizon} calls.",
                    line=s.line,
                    step=s.horizon,
                    evidence={"horizon": s.horizon, "calls": s.calls, "optimizer_steps": s.optimizer_steps},
                    fix=_FIX,
                )


_FIX = "Advance the schedule once per epoch, or give its horizon in batches (epochs × batches per epoch)."


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("total_iters=10)", "total_iters=3)")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(
    CLASSIFIER,
    (
        "for start in range(0, 80, 8)",
        "schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 1e-6, total_iters=10)\nfor start in 4 * "
        "list(range(0, 80, 8))",
    ),
    ("    optimizer.step()\n", "    optimizer.step()\n    if start == 72 or schedule.total_iters == 3:\n        schedule.step()\n"),
)
