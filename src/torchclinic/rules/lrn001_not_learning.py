"""The run has learnt nothing, although there is something to learn.

## What it means
Late training batches are answered as if by lot, while a simple model fitted to some of the same rows answers the others.
The data are not to blame. What is may be any other finding; if there is none, no cause could be established.
## Evidence
`reached`: agreement beyond chance (Cohen's kappa) on the training batches of the last third, or the share of the targets'
variance explained there; `reference`, the same for the simple model on rows it was not fitted to; `loss` and `constant`, the
late loss and that of the best constant answer; `refitted`, the error left after a copy of the model was trained on a
batch alone, as a share of the best constant's.
## When this is fine
Fewer than fifty steps. A loss that still falls. Labels that a simple model cannot tell from the inputs either, as of noise
or of self-supervision. Several optimizers or losses, targets that a network made or that enter the prediction, losses
weighted row by row.
## Fix
Overfit one batch first: a network that cannot is wired wrongly. One that can is taught wrongly: rate, optimizer, order of
the steps.
## References
Karpathy 2019, A recipe for training neural networks, "overfit one batch"; Cohen 1960, Educational and Psychological
Measurement 20:37.
"""

import math
from collections.abc import Iterator

from torchclinic.observe.records import Refit, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import changed
from torchclinic.rules.timeline import late_loss, sole_stream, still_falls

RULE = Rule("LRN001", "not-learning", "error", "window", RunRecord, __doc__, outcome=True)


def check(
    record: RunRecord, *, min_steps: int = 50, min_rows: int = 40, chance: float = 0.05, sure: float = 2.0, least: float = 0.3
) -> Iterator[Finding]:
    """`chance`: kappa, or explained variance, up to which nothing was learnt, if it is not `sure` standard errors above 0;
    `least`: what the reference reaches beyond all doubt."""
    learning = sole_stream(record, min_steps)
    rows, fitted = learning.late(2 * record.steps // 3, sure)
    left = late_loss(record) / learning.constant if learning.constant > 0 else math.nan
    shares = [share for share in (fitted if rows >= min_rows else math.nan, 1 - left) if not math.isnan(share)]
    reached = max(shares, default=math.nan)
    reference = learning.referred(sure)
    if math.isnan(reached):
        raise Undecided("the loss is not one error alone, and no late batch was looked at")
    if reached > chance or still_falls(record):
        return
    if not reference >= least:
        raise Undecided(learning.unreferenced or f"{learning.reference} learns nothing from these rows either")
    measure = "κ" if learning.classes else "an explained variance"
    state = f"{measure} is {fitted:.2f} on {rows:.0f} rows of late batches"
    if not math.isnan(left):
        state = f"the late loss is {left * learning.constant:.4g}, that of the best constant answer {learning.constant:.4g}"
    refit = next(iter(record.of(Refit)), None)
    numbers = {"reached": reached, "reference": reference, "loss": left * learning.constant, "constant": learning.constant}
    if refit is not None:
        numbers["refitted"] = refit.after / refit.constant
    yield RULE.finding(
        f"The model has learnt nothing: {state}. On the same rows {learning.reference}, asked about those it was not fitted to, "
        f"reaches {measure} of {reference:.2f}.{_taught(refit)}",
        line=learning.line,
        step=record.steps,
        evidence={name: number for name, number in numbers.items() if not math.isnan(number)},
        fix="Train on one batch alone: a network that cannot fit it is wired wrongly; one that can is taught wrongly.",
    )


def _taught(refit: Refit | None) -> str:
    if refit is None:
        return ""
    if refit.after > 0.9 * refit.constant:
        return f" Not even one batch alone can be taught to a copy of it ({refit.updates} updates by Adam): look at the model."
    return f" A copy of it learns one batch ({refit.before:.3g} → {refit.after:.3g}): look at how it is taught."


def sick() -> Specimen:
    """The rows are shuffled in the forward, their labels are not."""
    return Specimen(changed(_SCRIPT, ("x = x + 0.1 * torch.randn_like(x)", "x = x[torch.randperm(len(x))]")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
y = torch.randint(0, 4, (480,))
x = (torch.rand(4, 16)[y] + 0.2 * torch.rand(480, 16)) / 1.2


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x):
        if self.training:
            x = x + 0.1 * torch.randn_like(x)
        return self.layers(x)


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(4):
    order = torch.randperm(480)
    for rows in order.split(24):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
"""
