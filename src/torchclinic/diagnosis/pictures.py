"""Pictures of an observed run: the loss with the findings on it, the layers over time, and the first cause."""

import math
from collections.abc import Callable

from torchclinic.instruments.layer_signal import Propagation
from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.layers import LayerSeries, Window
from torchclinic.report.figures import bar_chart, line_chart, strip_picture
from torchclinic.report.model import Finding
from torchclinic.report.results import Figure
from torchclinic.rules.timeline import relative_gradient, typical, update

CURVE_POINTS = 600
MOST_EVENTS = 6
MOST_STRIPS = 24  # layers in one picture
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
    return line_chart(
        "Loss at each backward pass", {"loss": points}, "step", "loss", log_y=wide, events=events,
        description="Dashed: the step at which a finding begins.",
    )  # fmt: skip


def layer_strips(run: RunRecord) -> list[Figure]:
    """One picture per quantity, one row per layer, from the first sampled step to the last."""
    layers = [layer for layer in run.layers if layer.path and len(layer.windows) > 1]
    several = len({layer.model for layer in layers}) > 1
    chosen = _spread(layers)
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


def cause_picture(run: RunRecord, finding: Finding) -> Figure | None:
    """What shows the disease best, where a picture does."""
    draw = _PICTURES.get(finding.code)
    return draw(run, finding) if draw is not None else None


def _unmeasured(value: float, window: Window) -> bool:
    """NaN because there was nothing to measure, not because the numbers were NaN."""
    return math.isnan(value) and math.isfinite(window.mean)


def _label(layer: LayerSeries, several: bool) -> str:
    return f"{layer.model} {layer.path}" if several else layer.path


def _spread(layers: list[LayerSeries]) -> list[LayerSeries]:
    """At most MOST_STRIPS of them: the first, the last, and an even choice between."""
    if len(layers) <= MOST_STRIPS:
        return layers
    chosen = sorted({round(i * (len(layers) - 1) / (MOST_STRIPS - 1)) for i in range(MOST_STRIPS)})
    return [layers[index] for index in chosen]


def _by_layer(
    title: str, number: Callable[[Window], float], label: str
) -> Callable[[RunRecord, Finding], Figure | None]:
    def draw(run: RunRecord, finding: Finding) -> Figure | None:
        values = {
            layer.path: typical(layer.windows, number)
            for layer in _spread([layer for layer in run.layers if layer.path])
        }
        shown = {path: value for path, value in values.items() if math.isfinite(value)}
        return bar_chart(title, list(shown), {label: list(shown.values())}, label, log=True) if shown else None

    return draw


def _dead(run: RunRecord, finding: Finding) -> Figure | None:
    rows = {
        layer.path: [(float(w.step), w.dead / layer.units) for w in layer.windows]
        for layer in _spread([layer for layer in run.layers if layer.rectified and layer.path])
    }
    return strip_picture("Share of units at zero in each window of steps", rows) if rows else None


def _signal(run: RunRecord, finding: Finding) -> Figure | None:
    """Measured and predicted mean square, layer by layer, at the first probe."""
    record = next((other for other in run.others if isinstance(other, Propagation)), None)
    rows = [row for row in record.rows if row.role == "linear"][:MOST_STRIPS] if record is not None else []
    if not rows:
        return None
    series: dict[str, list[float | None]] = {
        "measured": [row.mean_square for row in rows],
        "predicted by theory": [row.predicted_mean_square for row in rows],
    }
    return bar_chart("Mean square of each layer's output", [r.layer for r in rows], series, "mean square", log=True)


_PICTURES: dict[str, Callable[[RunRecord, Finding], Figure | None]] = {
    "ACT001": _dead,
    "INI005": _dead,
    "INI003": _signal,
    "INI004": _signal,
    "INI006": _signal,
    "ACT002": _by_layer("Share of saturated values", lambda window: window.saturated, "share"),
    "GRA001": _by_layer("Gradient norm over weight norm", relative_gradient, "median over the run"),
    "GRA002": _by_layer("Largest gradient norm", lambda window: window.peak, "median over the windows"),
    "OPT001": _by_layer("Change of the weights per step over their norm", update, "median over the run"),
    "OPT002": _by_layer("Change of the weights per step over their norm", update, "median over the run"),
}
