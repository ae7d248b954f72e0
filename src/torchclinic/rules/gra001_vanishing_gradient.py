"""So little gradient reaches the first layers that they stand still while the last ones learn.

## What it means
Each layer multiplies the gradient by its weights and slopes; where the product per layer is below one, what arrives
after many layers is nothing. The first layers stay as they were initialized, whatever the data say.
## Evidence
`first` and `last`: gradient norm over weight norm, median over the run, of the first and the last weight layer;
`movement`: how far the first layer's weights can have moved in the whole run, relative to their norm.
## When this is fine
Frozen layers, and optimizers that rescale each gradient: what counts is that the weights do not move.
## Fix
Normalization or residual connections; ReLU-like instead of sigmoid activations; `tc.initialize(model)`.
## References
Glorot and Bengio 2010, section 4.2.1; Schoenholz et al. 2017, arXiv:1611.01232, section 4.
"""

import math
from collections.abc import Iterator

from torchclinic.observe.records import RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.pictures import by_layer
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.timeline import MATRICES, models, relative_gradient, require, typical, update

CAUSES = ("INI003", "INI002", "ACT002", "LOS001")
RULE = Rule("GRA001", "vanishing-gradient", "error", "window", RunRecord, __doc__, follows=CAUSES)
picture = by_layer("Gradient norm over weight norm", relative_gradient, "median over the run")


def check(
    record: RunRecord, *, ratio: float = 1e-3, movement: float = 0.01, min_layers: int = 3, min_steps: int = 20
) -> Iterator[Finding]:
    """`movement`: in 1,000 steps (or as many as there were) the first layer changes by less than one hundredth, too
    little to learn a feature; `ratio`: and a thousandth of the last layer's movement and relative gradient at most."""
    require(record, min_steps)
    for kinds in models(record, MATRICES):
        layers = [layer for layer in kinds if math.isfinite(typical(layer.windows, relative_gradient))]
        if len(layers) < min_layers:
            continue
        first, last = layers[0], layers[-1]
        gradients = typical(first.windows, relative_gradient), typical(last.windows, relative_gradient)
        updates = typical(first.windows, update), typical(last.windows, update)
        moved = updates[0] * max(1000, record.steps)
        if 0 < gradients[0] < ratio * gradients[1] and updates[0] < ratio * updates[1] and moved < movement:
            yield RULE.finding(
                f"The gradient of {first.path} is {gradients[0]:.2g} of its weights' norm, that of {last.path} "
                f"{gradients[1]:.2g}; a step moves {first.path} by {updates[0]:.2g} and {last.path} by {updates[1]:.2g}.",
                where=first.path,
                line=first.line,
                step=first.windows[0].step,
                evidence={"first": gradients[0], "last": gradients[1], "movement": moved, "layers": len(layers)},
                fix="Normalization or residual connections, ReLU-like activations, or tc.initialize(model).",
            )


_SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)
blocks = [part for _ in range(8) for part in (nn.Linear(32, 32), ACTIVATION)]
model = nn.Sequential(*blocks, nn.Linear(32, 4))
batch = (torch.randn(64, 32), torch.randint(0, 4, (64,)))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(30):
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """Eight sigmoid layers."""
    return Specimen(_SCRIPT.replace("ACTIVATION", "nn.Sigmoid()"))


def healthy() -> Specimen:
    """The same with normalization and ReLU."""
    return Specimen(_SCRIPT.replace("ACTIVATION", "nn.Sequential(nn.LayerNorm(32), nn.ReLU())"))
