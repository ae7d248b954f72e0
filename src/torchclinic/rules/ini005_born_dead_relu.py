"""ReLU units are zero on the whole batch before the first step, more of them than chance can explain.

## What it means
A unit that is silent on every sample gets no gradient: it starts dead, and stays so unless its inputs change.
## Evidence
`dead` of `units`; `expected` by theory from how alike the layer's inputs are. Symmetric weights and biases leave at
most half of the units silent, however few different values the inputs take; the rule speaks above that.
## When this is fine
Very narrow layers, where some units are lost by chance; that chance is what the rule computes.
## Fix
Zero-mean weights and zero biases (`tc.initialize(model)`), inputs of zero mean, or a leaky ReLU.
## References
Lu et al. 2019, arXiv:1903.06733, section 3; He et al. 2015, arXiv:1502.01852, section 2.2.
"""

import math
from collections.abc import Iterator

from torchclinic.instruments.layer_signal import Propagation
from torchclinic.report.model import Finding
from torchclinic.rules.pictures import dead_units
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("INI005", "born-dead-relu", "warning", "probe", Propagation, __doc__, follows=("INI001", "INI002"))
picture = dead_units


def check(record: Propagation, *, deviations: float = 3.0) -> Iterator[Finding]:
    """`deviations`: of the binomial count of dead units above one half. No data can silence more than half of the units
    whose weights and biases are drawn symmetrically about zero: a unit and its mirror image are never both silent."""
    for row in record if record.step == 0 and record.batch_size > 1 else ():
        if not row.rectifier or row.expected_dead_share is None or row.units < 2:
            continue
        expected = row.expected_dead_share * row.units
        limit = min(row.units / 2 + deviations * math.sqrt(row.units / 4), row.units - 1)
        if row.dead_units > limit:
            yield RULE.finding(
                f"{row.dead_units} of {row.units} units are zero on all {row.samples} values before the first step; "
                f"theory expects {expected:.1f}.",
                where=row.layer,
                line=row.line,
                step=record.step,
                evidence={"dead": row.dead_units, "units": row.units, "expected": expected, "samples": row.samples},
                fix="Zero-mean weights and zero biases: tc.initialize(model).",
            )


_SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)
layers = [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)]
model = nn.Sequential(*layers)
nn.init.constant_(layers[2].bias, -10.0)
batch = (torch.randn(64, 20), torch.randint(0, 4, (64,)))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(3):
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """Biases of -10 under a hidden layer."""
    return Specimen(_SCRIPT)


def healthy() -> Specimen:
    """Zero biases."""
    return Specimen(_SCRIPT.replace("-10.0", "0.0"))
