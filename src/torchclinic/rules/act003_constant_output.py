"""The output of the model does not depend on its input.

## What it means
Every sample gets the same answer, bit for bit or up to rounding: a dead layer in between, a softmax over one value, a
signal that has died out. The loss can at best reach what a constant reaches.
## Evidence
`varying`: the largest difference, over the samples of a batch, of any output; `scale`: the largest output.
## When this is fine
While a head that starts at zero still is zero; a model that is fed a constant, where the first layer is as constant.
## Fix
Look at the findings above it; where there is none, print each layer's output for two different samples.
## References
Rounding: relative 2⁻²⁴ per float32 operation (IEEE 754); a sum of n terms adds up to n of them (Higham 2002, eq. 4.4).
"""

import math
from collections.abc import Iterator
from statistics import median

from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.layers import LayerSeries, Window
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.timeline import models, require

CAUSES = tuple("LOS014 LOS001 LOS004 INI002 SHP001 WIR007 INI005 INI003 ACT001 GRA001 DAT004 OPT005 OPT001".split())
RULE = Rule("ACT003", "constant-output", "error", "window", RunRecord, __doc__, follows=CAUSES)


def check(record: RunRecord, *, rounding: float = 2e-6, min_windows: int = 3, min_steps: int = 12) -> Iterator[Finding]:
    """`rounding`: 2⁻²⁴ times √1,000 for a sum of about 1,000 terms whose errors are independent."""
    require(record, min_steps)
    for layers in models(record):
        output = next((layer for layer in layers if not layer.path), None)
        if output is None or len(output.windows) < min_windows:
            continue
        last = [w for w in output.windows[-min_windows:] if math.isfinite(w.varying) and w.samples > 1]
        if len(last) == min_windows and all(_constant(w, rounding) for w in last) and _fed(layers, output, rounding):
            since = _since(output, rounding)
            yield RULE.finding(
                f"{output.kind} gives the same output for every sample from step {since} on: it varies by "
                f"{last[-1].varying:.2g} within a batch, at values up to {_scale(last[-1]):.3g}.",
                where=output.kind,
                line=output.line,
                step=since,
                evidence={"varying": last[-1].varying, "scale": _scale(last[-1]), "since": since},
                fix="Follow a sample through the layers: the first whose output is the same for all has the cause.",
            )


def _scale(window: Window) -> float:
    return max(abs(window.low), abs(window.high))


def _constant(window: Window, rounding: float) -> bool:
    return window.varying <= rounding * _scale(window)


def _since(output: LayerSeries, rounding: float) -> int:
    step = output.windows[-1].step
    for window in reversed(output.windows):
        if not _constant(window, rounding):
            break
        step = window.step
    return step


def _fed(layers: list[LayerSeries], output: LayerSeries, rounding: float) -> bool:
    """The first layer's output differs between samples, so the model is fed different samples."""
    first = next((layer for layer in layers if layer is not output), None)
    if first is None:
        return True
    return median(float(not _constant(window, rounding)) for window in first.windows) > 0


_SCRIPT = """import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1), OUTPUT)
x = torch.randn(32, 6)
y = (x.sum(1, keepdim=True) > 0).float()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(24):
    optimizer.zero_grad()
    loss = F.binary_cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """A softmax over a single output is 1 for every sample."""
    return Specimen(_SCRIPT.replace("OUTPUT", "nn.Softmax(dim=1)"))


def healthy() -> Specimen:
    """A sigmoid."""
    return Specimen(_SCRIPT.replace("OUTPUT", "nn.Sigmoid()"))
