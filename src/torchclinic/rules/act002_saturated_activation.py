"""Nearly all values of a sigmoid or tanh layer lie where the function is flat, so its weights hardly learn.

## What it means
At |z| > 3 the slope of tanh is below one hundredth of its largest, at |z| > 6 that of the sigmoid. What should correct
the weights below is multiplied by it, and they stay as they are.
## Evidence
`saturated`: share of the values beyond that point, median over the last windows; `gradient` and `next`: gradient norm
over weight norm of this layer and of the model's last.
## When this is fine
Gates that have learned to be open or closed, and output layers that are sure of their answer: their weights have had
their gradient. So layers count that are saturated from the first steps on.
## Fix
`tc.initialize(model)`: variance 1 / fan_in before tanh and sigmoid; inputs of unit scale; a normalization before it.
## References
Glorot and Bengio 2010, section 3; LeCun et al. 1998, Efficient BackProp, sections 4.4 and 4.6.
"""

from collections.abc import Iterator
from math import prod
from statistics import median

from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.layers import SATURATING, LayerSeries
from torchclinic.report.model import Finding
from torchclinic.rules.pictures import by_layer
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.timeline import MATRICES, models, relative_gradient, require, typical

CAUSES = ("INI006", "INI004", "DAT001", "DAT009", "OPT001")
RULE = Rule("ACT002", "saturated-activation", "error", "window", RunRecord, __doc__, follows=CAUSES)
picture = by_layer("Share of saturated values", lambda window: window.saturated, "share")


def check(
    record: RunRecord, *, share: float = 0.5, ratio: float = 0.1, min_windows: int = 3, min_units: int = 4
) -> Iterator[Finding]:
    """`share`: with more than half of the values flat, the gradient's mean square is cut to less than half by this layer
    alone; N(0, σ²) before tanh gives it from σ = 4.5 on, 4.5 times what a correct initialization gives. `ratio`: the
    layer's relative gradient is a tenth of the last layer's at most, or the flat layers together let a tenth through."""
    require(record, 8)
    for layers in models(record, MATRICES):
        large = [layer for layer in layers[:-1] if layer.units >= min_units and len(layer.windows) >= min_windows]
        flat = [layer for layer in large if _saturated(layer, share, min_windows)]
        through = prod(1 - _flat(layer) for layer in flat)
        for layer in flat:
            own, others = typical(layer.windows, relative_gradient), typical(layers[-1].windows, relative_gradient)
            if own < ratio * others or through < ratio:
                yield _finding(layer, own, others)


def _saturated(layer: LayerSeries, share: float, windows: int) -> bool:
    """In the first windows and in the last ones."""
    if layer.output or layer.followed_by not in SATURATING:
        return False
    ends = layer.windows[:windows], layer.windows[-windows:]
    return min(median(w.saturated for w in part) for part in ends) > share


def _flat(layer: LayerSeries) -> float:
    return median(window.saturated for window in layer.windows)


def _finding(layer: LayerSeries, own: float, others: float) -> Finding:
    flat = _flat(layer)
    bound = SATURATING[layer.followed_by]
    return RULE.finding(
        f"{flat:.0%} of the values that {layer.path} gives to {layer.followed_by} lie beyond ±{bound:g}, where it is "
        f"flat; the layer's gradient is {own:.2g} of its weights' norm, the last layer's {others:.2g}.",
        where=layer.path,
        line=layer.line,
        step=layer.windows[0].step,
        evidence={"saturated": flat, "bound": bound, "gradient": own, "next": others},
        fix="tc.initialize(model), inputs of unit scale, or a normalization before the activation.",
    )


_SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(40, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4))
INITIALIZE
batch = (torch.randn(64, 40), torch.randint(0, 4, (64,)))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(24):
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """Weights from N(0, 1) in front of tanh."""
    return Specimen(_SCRIPT.replace("INITIALIZE", "nn.init.normal_(model[0].weight), nn.init.normal_(model[2].weight)"))


def healthy() -> Specimen:
    """Xavier's variance."""
    return Specimen(sick().script.replace("init.normal_", "init.xavier_normal_"))
