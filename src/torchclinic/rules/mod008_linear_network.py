"""Several layers with weights, and nothing between them that is not linear: together they are one matrix.

## What it means
The activation was forgotten. W₂(W₁x + b₁) + b₂ is one affine map of x; the hidden layers cost time and add nothing that a
single layer cannot do, however long they are trained.
## Evidence
`layers`: how many lie one behind the other with only dropout and batch normalization between them, up to the last one of
the model; `widths`: how many units each has.
## When this is fine
A bottleneck (a hidden layer narrower than input and output restricts the rank: linear autoencoders, factorized layers);
embeddings; studies of deep linear networks.
## Fix
An activation behind every hidden layer: `nn.ReLU()`.
## References
Goodfellow et al. 2016, Deep Learning, section 6.1; Saxe et al. 2014, arXiv:1312.6120 (what deep linear networks do learn).
"""

from collections.abc import Iterator

from torchclinic.instruments.layer_signal import Propagation
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import changed
from torchclinic.vocabulary import DENSE_LAYERS

RULE = Rule("MOD008", "linear-network", "warning", "exact", Propagation, __doc__)


def check(record: Propagation) -> Iterator[Finding]:
    """Every operation on the way is known, so nothing is left to a bound."""
    layers = record.weights
    if record.step or len(layers) < 2 or any(row.kind not in DENSE_LAYERS for row in layers):
        return
    if not all(row.behind for row in layers[1:]):
        return
    widths = [row.units for row in layers]
    if min(widths[:-1]) < min(layers[0].fan_in or 0, widths[-1]):
        return
    yield RULE.finding(
        f"{len(layers)} layers ({layers[0].layer} to {layers[-1].layer}) lie one behind the other with nothing between them "
        f"that is not linear: together they are one matrix.",
        where=layers[0].layer,
        line=layers[0].line,
        step=0,
        evidence={"layers": len(layers), "widths": ", ".join(map(str, widths))},
        fix="Put an activation behind every hidden layer, for example `nn.ReLU()`.",
    )


_SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
batch = (torch.randn(64, 8), torch.randint(0, 4, (64,)))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(3):
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """Without its ReLU."""
    return Specimen(changed(_SCRIPT, ("nn.ReLU(), ", "")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)
