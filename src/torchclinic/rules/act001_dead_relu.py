"""Most ReLU units of a layer are zero for every sample, after training has begun.

## What it means
Where a rectifier is zero its slope is zero: the unit's weights get the gradient δ·xᵀ with δ = 0 exactly, at every
sample, so no learning rate can bring it back. One step too large is enough to get there.
## Evidence
`dead` of `units`, over `samples` values each, at `step`.
## When this is fine
Sparse by design (top-k, mixture gates). A batch of very few samples; up to four
fifths of a layer on one batch.
## Fix
A smaller learning rate; a leaky ReLU; He initialization with normalization before the activation.
## References
Lu et al. 2019, arXiv:1903.06733; He et al. 2015, arXiv:1502.01852, eq. 10.
"""

import math
from collections.abc import Iterator

from torchclinic.observe.layer_signal import Propagation
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("ACT001", "dead-relu", "error", "window", Propagation, __doc__)


def check(
    record: Propagation, *, deviations: float = 2.576, least_share: float = 0.8, min_samples: int = 16
) -> Iterator[Finding]:
    """Fires beyond one half plus `deviations` binomial deviations (with symmetric weights, identical inputs silence half)
    and beyond `least_share`: a network that learns was measured with 66 % silent on one batch, a crippled one with 91 %."""
    zeros = False  # whether the weights before the activation are all zero, which is INI002
    for row in record if record.step > 0 else ():
        zeros = row.weight_mean_square == 0 if row.role == "linear" else zeros
        if zeros or not row.rectifier or row.units < 2 or row.samples < min_samples:
            continue
        limit = max(row.units / 2 + deviations * math.sqrt(row.units) / 2, least_share * row.units)
        if row.dead_units > min(limit, row.units - 1):
            yield RULE.finding(
                f"{row.dead_units} of {row.units} units are zero on all {row.samples} values at step {record.step} "
                f"and receive no gradient.",
                where=row.layer,
                step=record.step,
                evidence={"dead": row.dead_units, "units": row.units, "samples": row.samples, "limit": limit},
                fix="A smaller learning rate, a leaky ReLU, or normalization before the activation.",
            )


_SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)
layers = [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)]
model = nn.Sequential(*layers)
initialized = [nn.init.kaiming_normal_(layer.weight) for layer in layers[::2]]
batch = (torch.randn(64, 20), torch.randint(0, 4, (64,)))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=LR)
for _ in range(20):
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """A learning rate of 30."""
    return Specimen(_SCRIPT.replace("LR)", "30.0)"))


def healthy() -> Specimen:
    """A learning rate of 0.1."""
    return Specimen(_SCRIPT.replace("LR)", "0.1)"))
