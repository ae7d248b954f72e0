"""Pictures of an observed run: the loss with the findings on it, and the layers over time."""

import math
from collections.abc import Callable

from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.layers import LayerSeries, Window
from torchclinic.report.figures import line_chart, strip_picture
from torchclinic.report.model import Finding
from torchclinic.report.results import Figure
from torchclinic.rules.pictures import spread

CURVE_POINTS = 600
MOST_EVENTS = 6
QUANTITIES: tuple[tuple[str, Callable[[LayerSeries, Window], float], bool, str], ...] = (
    ("Mean of the outputs, as a magnitude", lambda _, w: abs(w.mean), True, ""),
    ("Spread of the outputs", lambda _, w: w.spread, True, "standard deviation over samples and units"),
    ("Share of units at zero", lambda s, w: w.dead / s.units, False, "units a rectifier keeps at 0 in a whole window"),
    ("Norm of the gradient", lambda _, w: w.gradient, True, "of the layer's weight, median of each window"),
    ("Relative update", lambda _, w: w.update, True, "change of the weight per step over its norm"),
)


def loss_curve(run: RunRecord, findings: tuple[Finding, ...]) -> Figure:
    """The loss at each backward pass, and where the findings begin."""
    stride = max(1, len(run.losses_seen) // CURVE_POINTS)
    points = [(float(step), value) for step, value in run.losses_seen[::stride]]
    events: dict[str, float] = {}
    for finding in findings:
        if finding.step is not None and finding.severity != "info" and len(events) < MOST_EVENTS:
            events.setdefault(f"{finding.code} {finding.name}", float(finding.step))
    values = [value for _, value in points if math.isfinite(value)]
    wide = bool(values) and min(values) > 0 and max(values) > 100 * min(values)
    described = "Dashed: the step at which a finding begins."
    title = "Loss at each backward pass"
    return line_chart(title, {"loss": points}, "step", "loss", log_y=wide, events=events, description=described)


def layer_strips(run: RunRecord) -> list[Figure]:
    """One picture per quantity, one row per layer, from the first sampled step to the last."""
    layers = [layer for layer in run.layers if layer.path and len(layer.windows) > 1]
    several = len({layer.model for layer in layers}) > 1
    chosen = spread(layers)
    figures = []
    for title, number, log, description in QUANTITIES:
        wanted = [layer for layer in chosen if layer.rectified] if "zero" in title else chosen
        rows = {
            _label(layer, several): points
            for layer in wanted
            if (points := [(float(w.step), v) for w in layer.windows if not _unmeasured(v := number(layer, w), w)])
        }
        if rows:
            figures.append(strip_picture(title, rows, log=log, description=description))
    return figures


def _unmeasured(value: float, window: Window) -> bool:
    """NaN because there was nothing to measure, not because the numbers were NaN."""
    return math.isnan(value) and math.isfinite(window.mean)


def _label(layer: LayerSeries, several: bool) -> str:
    return f"{layer.model} {layer.path}" if several else layer.path
