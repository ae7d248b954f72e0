"""In eval mode the model has lost what it knows in train mode, on a batch it was trained on.

## What it means
In train mode a BatchNorm uses the batch, in eval mode its running statistics. Where those are stale (a tiny momentum),
polluted (other data passed in train mode) or missing, the rest of the network gets inputs it has never seen. They are
missing in an average of the weights that copies parameters and no buffers.
## Evidence
The error of one training batch with dropout off: `in_train`, `in_eval`, beside that of the best `constant` prediction;
`updates` of the running statistics. Or the `layers` of a copy of the trained weights whose statistics are exactly those
of a new layer, mean 0 and variance 1, while the same layers measured theirs in training.
## When this is fine
The first steps: the statistics still hold their initial values. The rule waits for 50 updates, and judges the last
evaluation seen, in the later half of the run. A copy that still holds the first weights, and a network of its own.
## Fix
Momentum back to 0.1; no other data through the model in train mode; `torch.optim.swa_utils.update_bn`. In an average:
copy the buffers as well, as `torch.optim.swa_utils.AveragedModel` does.
## References
Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 2.
"""

from collections.abc import Iterator

from torchclinic.observe.records import ModeGap, UnmeasuredStatistics
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided

CAUSES = ("DAT010", "MOD006", "MOD002", "MOD004")
NEEDS = ("an evaluation", "batch statistics")
READS = ModeGap | UnmeasuredStatistics
RULE = Rule("MOD005", "train-eval-gap", "error", "probe", READS, __doc__, follows=CAUSES, needs=NEEDS)


def check(
    record: READS, *, learned: float = 0.5, kept: float = 0.8, least_updates: int = 50, latest: float = 0.5, alike: float = 0.25
) -> Iterator[Finding]:
    """Fires where train mode explains at least `learned` of what a constant leaves, and eval mode less than `kept` of that.

    After 50 updates with PyTorch's momentum the initial statistics weigh 0.9⁵⁰ = 0.5 %. Measured on 20 healthy trainings
    (two networks on digits, batches of 8 and 32, SGD and Adam, rates 0.001 to 0.5): 0.95 kept or more from there on. A
    loss four times the largest of those is a fault. `alike`: the cosine of two matrices that were drawn independently is
    0 ± 1/√n, below it in at least one of a network's matrices; that of an average with what it averages is near 1."""
    if isinstance(record, UnmeasuredStatistics):
        if record.unmeasured and record.moved and record.likeness >= alike:
            yield _missing(record)
        return
    if record.updates < least_updates:
        raise Undecided(f"the running statistics of {record.model} had seen {record.updates} batches at its evaluation")
    if record.step < latest * record.steps or not record.in_train <= (1 - learned) * record.constant:
        return
    if record.constant - record.in_eval < kept * (record.constant - record.in_train):
        errors = {"in_train": record.in_train, "in_eval": record.in_eval, "constant": record.constant}
        statistics = {"updates": record.updates, "layers": record.layers, "smallest_momentum": record.momentum}
        yield RULE.finding(
            f"On a batch it was trained on, {record.model} has an error of {record.in_train:.3g} in train mode and of "
            f"{record.in_eval:.3g} in eval mode; a constant prediction has {record.constant:.3g} ({record.measure}).",
            where=record.example,
            line=record.line,
            step=record.step,
            evidence={**errors, **statistics},
            fix="Repair the running statistics: momentum 0.1, no foreign data in train mode, or `update_bn`.",
        )


def _missing(record: UnmeasuredStatistics) -> Finding:
    return RULE.finding(
        f"{len(record.unmeasured)} normalizations of {record.model} ({record.unmeasured[0]}, …) evaluate with mean 0 and "
        "variance 1, those of a new layer: its weights come from training, its running statistics were never measured.",
        where=record.unmeasured[0],
        line=record.written_line or record.line,
        step=record.step,
        evidence={"layers": len(record.unmeasured), "likeness": record.likeness, "evaluated": record.line},
        fix="Copy the buffers where the weights are copied, or measure them on training data with `update_bn`.",
    )


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
x = 3 + 2 * torch.randn(400, 6)
y = (x[:, 0] + x[:, 1] > 6).long()
model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16, momentum=MOMENTUM), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
for epoch in range(6):
    model.train()
    for start in range(0, 400, 40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[start : start + 40]), y[start : start + 40]).backward()
        optimizer.step()
model.eval()
with torch.no_grad():
    accuracy = (model(x).argmax(1) == y).float().mean()
"""


def sick() -> Specimen:
    """The running statistics hardly move."""
    return Specimen(_SCRIPT.replace("MOMENTUM", "1e-4"))


def healthy() -> Specimen:
    return Specimen(_SCRIPT.replace("MOMENTUM", "0.1"))
