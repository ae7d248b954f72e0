"""All rows of a weight, and of its gradient, are identical.

## What it means
Units with equal weights that receive equal gradients stay equal for ever: a layer of N of them is worth one.
## Evidence
`identical` of `units` rows equal the first row (or their neighbour), in the weight and in its gradient.
## When this is fine
A zero head: its rows are equal, its gradient's are not. Weights tied on purpose.
## Fix
Draw the weights at random: `tc.initialize(model)`, or `nn.init.kaiming_normal_`.
## References
Glorot and Bengio 2010 (AISTATS), section 4; Goodfellow, Bengio, Courville 2016, section 8.4.
"""

from collections.abc import Iterator

from torchclinic.observe.layer_signal import Propagation
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("INI001", "symmetric-initialization", "error", "exact", Propagation, __doc__)


def check(record: Propagation) -> Iterator[Finding]:
    """Exact: every row equal, in weight and gradient; all-zero weights are INI002."""
    for row in record.weights if record.step == 0 else ():
        last = row.units - 1
        if last < 1 or not row.weight_mean_square or row.weight_gradient_mean_square is None:
            continue
        if row.identical_rows == last and row.identical_gradient_rows == last:
            yield RULE.finding(
                f"All {row.units} rows of {row.parameter} are identical and so are the rows of its gradient: "
                f"{row.units} units compute and learn the same.",
                where=row.layer,
                step=record.step,
                evidence={"identical": row.units, "units": row.units, "weight_mean": row.weight_mean},
                fix="Draw the weights at random: tc.initialize(model).",
            )


_SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)
layers = [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)]
model = nn.Sequential(*layers)
for layer in layers[::2]:
    nn.init.constant_(layer.weight, 0.1)
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
    """Every weight is 0.1."""
    return Specimen(_SCRIPT)


def healthy() -> Specimen:
    """The same network with random weights."""
    return Specimen(_SCRIPT.replace("constant_(layer.weight, 0.1)", "kaiming_normal_(layer.weight)"))
