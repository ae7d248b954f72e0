"""A weight is all zero, and so is its gradient.

## What it means
Nothing gets through and nothing comes back: the layer can never leave zero. Before a ReLU one such layer
suffices, since the slope at zero is taken as zero; elsewhere two of them in a row block each other.
## Evidence
`weight_mean_square` and `gradient_mean_square`, both exactly 0.
## When this is fine
A zero head, the last layer of a residual branch, the second factor of an adapter: zero weights whose gradient
is not zero learn from the first step on.
## Fix
Draw the weights at random: `tc.initialize(model)`.
## References
Zhang et al. 2019, arXiv:1901.09321, section 3 (which layers may start at zero).
"""

from collections.abc import Iterator

from torchclinic.observe.layer_signal import Propagation
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("INI002", "zero-initialization", "error", "exact", Propagation, __doc__)


def check(record: Propagation) -> Iterator[Finding]:
    """Exact: a zero weight that receives a zero gradient."""
    for row in record.weights if record.step == 0 else ():
        if row.weight_mean_square == 0 and row.weight_gradient_mean_square == 0:
            yield RULE.finding(
                f"{row.parameter} is all zero and its gradient is exactly zero: it cannot leave zero at any learning rate.",
                where=row.layer,
                step=record.step,
                evidence={"weight_mean_square": 0.0, "gradient_mean_square": 0.0, "weights": row.weight_numel},
                fix="Draw the weights at random: tc.initialize(model).",
            )


_SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)
layers = [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)]
model = nn.Sequential(*layers)
for layer in layers[:3:2]:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
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
    """The hidden layers are zero."""
    return Specimen(_SCRIPT)


def healthy() -> Specimen:
    """Only the head is zero: it learns at once."""
    return Specimen(_SCRIPT.replace("layers[:3:2]", "layers[4:]"))
