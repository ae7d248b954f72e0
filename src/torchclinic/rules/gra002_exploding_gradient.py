"""A gradient far above all before it throws the weights away.

## What it means
Through many layers or time steps the gradient is a product; where the factors exceed one, a few samples are enough for
a gradient thousands of times the usual, and a single step of it undoes the training.
## Evidence
`peak`: the largest gradient norm in a window; `usual`: the median norm of the windows before, or the norm of the weights
in the first one; `leap`: the change in one step over the weights' norm; `before`, `after`: the loss around it.
## When this is fine
Large gradients that clipping or a rescaling optimizer makes harmless: what counts is how far the weights jump.
## Fix
`torch.nn.utils.clip_grad_norm_` between `backward()` and `step()`; a smaller rate; normalization.
## References
Pascanu et al. 2013, arXiv:1211.5063, sections 2.1 and 3.2.
"""

import math
from collections.abc import Iterator
from statistics import median

from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.layers import LayerSeries, Window
from torchclinic.report.model import Finding
from torchclinic.rules.pictures import by_layer
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.timeline import losses_around, require
from torchclinic.vocabulary import RESCALING_OPTIMIZERS

CAUSES = ("LOS008", "INI004", "INI006", "DAT001", "DAT009", "DST002", "OPT006")
RULE = Rule("GRA002", "exploding-gradient", "error", "window", RunRecord, __doc__, follows=CAUSES)
picture = by_layer("Largest gradient norm", lambda window: window.peak, "median over the windows")


def check(
    record: RunRecord, *, factor: float = 100.0, initial: float = 10.0, leap: float = 0.5, growth: float = 1.5
) -> Iterator[Finding]:
    """`factor`: a hundred times the usual, beyond what batches differ by; `initial`: in the first window ten times the
    weights' own norm; `leap`: the step changes the weights by half of their norm; `growth`: the loss is 1.5 times higher
    afterwards, or not finite. The first step of an optimizer that rescales gradients is as long as its rate says. A
    loss that grew before the jump, or weights that jumped before at ordinary gradients, are what a large rate does:
    OPT001."""
    require(record, 8)
    scaled = any(optimizer.name.startswith(RESCALING_OPTIMIZERS) for optimizer in record.optimizers)
    start = median(value for _, value in record.losses_seen[:3]) if record.losses_seen else math.nan
    for layer in record.layers:
        for index, window in enumerate(layer.windows):
            if scaled and not index:
                continue
            usual = _usual(layer, index)
            high = window.peak > factor * usual > 0 if index else window.peak > initial * window.weight > 0
            ordinary = all(not earlier.leap > leap for earlier in layer.windows[:index])
            if high and window.leap > leap and ordinary:
                before, after = losses_around(record, layer, index)
                if after > growth * before and before <= growth * start:
                    yield _finding(layer, window, usual if index else window.weight, before, after)
                    return


def _usual(layer: LayerSeries, index: int) -> float:
    before = [window.gradient for window in layer.windows[:index] if math.isfinite(window.gradient)]
    return median(before) if before else math.nan


def _finding(layer: LayerSeries, window: Window, usual: float, before: float, after: float) -> Finding:
    then = f"{after:.3g}" if math.isfinite(after) else "nothing finite"
    return RULE.finding(
        f"The gradient of {layer.path or layer.kind} jumps to {window.peak:.3g}, {window.peak / usual:,.0f} times the "
        f"usual {usual:.2g}; one step changes the weights by {window.leap:.0%} of their norm, and the loss goes from "
        f"{before:.3g} to {then}.",
        where=layer.path or layer.kind,
        line=layer.line,
        step=window.step,
        evidence={"peak": window.peak, "usual": usual, "leap": window.leap, "before": before, "after": after},
        fix="torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) between backward() and step().",
    )


_SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)


class Powers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.last = nn.Linear(8, 1)

    def forward(self, x):
        return self.last(self.first(x) ** 3)


model = Powers()
loss_fn = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.003)
for step in range(24):
    x = torch.randn(32, 4) * (20.0 if step == 18 else 1.0)
    optimizer.zero_grad()
    loss = loss_fn(model(x), torch.tanh(x.sum(1, keepdim=True)))
    loss.backward()
    CLIP
    optimizer.step()
"""


def sick() -> Specimen:
    """A cubic model meets one batch of large inputs."""
    return Specimen(_SCRIPT.replace("CLIP", "pass"))


def healthy() -> Specimen:
    """The same with clipping."""
    return Specimen(_SCRIPT.replace("CLIP", "nn.utils.clip_grad_norm_(model.parameters(), 1.0)"))
