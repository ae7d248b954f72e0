"""The loss grows or stays where it began while every step moves the weights by a large part of their size.

## What it means
Along a direction of curvature λ a step of gradient descent multiplies the error by 1 - lr·λ: beyond lr = 2 / λ it grows
with every step. What bounds it in a network are flat activations, and there it stays.
## Evidence
`first` and `last`: medians of the loss in the first steps and in the last fifth; `update`: change of the weights per
step over their norm, of the layer that moves most (median over the run, or the largest where one step did it); `rate`.
## When this is fine
Losses that are not meant to fall (adversarial, reinforcement): there the steps are small.
## Fix
A tenth of the learning rate; a warm-up; `torchclinic run --prove` tries it.
## References
Stability of gradient descent: Nocedal and Wright 2006, section 3.3; LeCun et al. 1998, Efficient BackProp, section 4.7.
"""

import math
from collections.abc import Iterator
from statistics import median

from torchclinic.observe.records import OptimizerRecord, RunRecord
from torchclinic.observe.records.layers import LayerSeries
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import rate_times
from torchclinic.rules.pictures import updates
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import RATED, changed
from torchclinic.rules.timeline import MATRICES, chance, losses, measures_errors, models, movement, parts, require
from torchclinic.rules.timeline import sole_optimizer as sole

CAUSES = ("DAT003", "DAT008", "LOS008", "DAT001", "DAT009", "INI004", "INI006", "GRA002", "SHP001", "OPT005", "WIR001")
RULE = Rule("OPT001", "learning-rate-too-high", "error", "window", RunRecord, __doc__, follows=CAUSES)
correct = rate_times(0.1)
picture = updates


def check(
    run: RunRecord, *, large: float = 0.03, leap: float = 0.3, spike: float = 1.5, ruin: float = 10.0, least: int = 15
) -> Iterator[Finding]:
    """`large`: at 3 % per step a weight is replaced within about 30 steps, so nothing learned stays; `leap`: where a
    single step did it, 30 %. No progress is a last fifth no lower than the start. A single step did it where the
    loss became infinite, or jumped to `spike` times the start within five steps and ends no lower than by guessing, or
    to `ruin` times, which leaves nothing of the initial weights."""
    require(run, least)
    values, optimizer = losses(run), sole(run)
    if len(values) < least or optimizer is None or not math.isfinite(values[0]):
        return
    first, last = min(values[0], median(values[:3])), parts(values, 5)[-1]
    jump = max(values[1:6]) / first if first > 0 else 0.0
    burst = math.isinf(last) or jump > ruin or (jump > spike and last >= chance(run))
    if first <= 0 or not (math.isinf(last) or measures_errors(run)):
        return
    layers = [layer for group in models(run, MATRICES) for layer in group if len(layer.windows) > 1]
    for at_once in [True] * burst + [False] * (first <= last < math.inf):
        moving = [(size, layer) for layer in layers if math.isfinite(size := movement(layer, at_once))]
        size, layer = max(moving, key=lambda pair: pair[0], default=(0.0, None))
        if layer is not None and size > (leap if at_once else large):
            yield _finding(optimizer, layer, first, last, size, _begin(layer, at_once))
            return


def _finding(by: OptimizerRecord, layer: LayerSeries, first: float, last: float, size: float, step: int) -> Finding:
    rate = by.lr_max
    outcome = "ends without a finite value" if math.isinf(last) else f"ends at {last:.4g}"
    return RULE.finding(
        f"The loss begins at {first:.4g} and {outcome}; a step moves {layer.path or layer.parameter} by {size:.0%} of "
        f"their norm, at a learning rate of {rate:g}.",
        where=layer.path or layer.parameter,
        line=by.line,
        step=step,
        evidence={"first": first, "last": last, "update": size, "rate": rate},
        fix=f"A learning rate of {rate / 10:g}; `torchclinic run --prove` tries it.",
    )


def _begin(layer: LayerSeries, burst: bool) -> int:
    """The first window; where one step did it, the one with the largest."""
    leaps = [window for window in layer.windows if math.isfinite(window.leap)]
    return max(leaps, key=lambda window: window.leap).step if burst and leaps else layer.windows[0].step


def sick() -> Specimen:
    """A rate of 1."""
    return Specimen(changed(RATED, ("lr=0.02", "lr=1.0")))


def healthy() -> Specimen:
    """A rate of 0.02."""
    return Specimen(RATED)
