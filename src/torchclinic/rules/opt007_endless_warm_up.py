"""The learning rate is still rising when training ends: the warm-up never ends.

## What it means
A warm-up that counts batches is advanced once per epoch. The rate stays at a fraction of what it should become, and the
run looks like one with a learning rate that is far too low.
## Evidence
The rate rose at every advance, without slowing down, up to the last step; `calls` of the schedule, once in `apart` steps.
## When this is fine
A warm-up that is advanced every step; a run that was stopped before its end; a sweep of rates, advanced every step.
## Fix
Advance a warm-up that counts batches after every batch, or give its length in epochs.
## References
Goyal et al. 2017, arXiv:1706.02677, section 2.2; PyTorch documentation, `torch.optim.lr_scheduler`.
"""

from collections.abc import Iterator

from torchclinic.observe.records import RunRecord, SchedulerRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("OPT007", "endless-warm-up", "warning", "exact", RunRecord, __doc__, needs=("a schedule",))


def check(run: RunRecord, *, apart: int = 4) -> Iterator[Finding]:
    """`apart`: steps between two advances of a schedule that counts epochs; accumulating gradients makes two or three."""
    schedules = [s for s in run.of(SchedulerRecord) if not s.plateau]
    for optimizer in run.optimizers if run.finished else ():
        own = [s for s in schedules if s.optimizer == optimizer.index and s.calls * apart <= s.optimizer_steps]
        if not own or not optimizer.climbing:
            continue
        steps = own[0].optimizer_steps // own[0].calls
        yield RULE.finding(
            f"The learning rate of {optimizer.name} rises from {optimizer.lr_first:.3g} to {optimizer.lr_last:.3g} and "
            f"still rises when training ends: the schedule was advanced {own[0].calls} times, once in {steps} steps.",
            line=own[0].line,
            step=optimizer.steps,
            evidence={"first_lr": optimizer.lr_first, "last_lr": optimizer.lr_last, "calls": own[0].calls, "apart": steps},
            fix="Advance a warm-up that counts batches after every batch, or give its length in epochs.",
        )


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min(1.0, (n + 1) / LENGTH))
for epoch in range(10):
    for _ in range(20):
        x = torch.rand(32, 2)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), x.sum(1, keepdim=True).sin()).backward()
        optimizer.step()
    schedule.step()
"""


def sick() -> Specimen:
    """A hundred batches, counted in epochs."""
    return Specimen(_SCRIPT.replace("LENGTH", "100"))


def healthy() -> Specimen:
    """Three epochs."""
    return Specimen(_SCRIPT.replace("LENGTH", "3"))
