"""Pictures of a disease that several rules share."""

import math
from collections.abc import Callable

from torchclinic.instruments.layer_signal import Propagation
from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.layers import LayerSeries, Window
from torchclinic.report.figures import bar_chart, strip_picture
from torchclinic.report.model import Finding
from torchclinic.report.results import Figure
from torchclinic.rules.rule import Picture
from torchclinic.rules.timeline import typical, update

MOST_LAYERS = 24  # in one picture


def spread(layers: list[LayerSeries]) -> list[LayerSeries]:
    """At most MOST_LAYERS of them: the first, the last, and an even choice between."""
    if len(layers) <= MOST_LAYERS:
        return layers
    chosen = sorted({round(i * (len(layers) - 1) / (MOST_LAYERS - 1)) for i in range(MOST_LAYERS)})
    return [layers[index] for index in chosen]


def by_layer(title: str, number: Callable[[Window], float], label: str) -> Picture:
    """One bar for each layer: a number that is typical of its windows."""

    def draw(run: RunRecord, finding: Finding) -> Figure | None:
        layers = spread([layer for layer in run.layers if layer.path])
        values = {layer.path: typical(layer.windows, number) for layer in layers}
        shown = {path: value for path, value in values.items() if math.isfinite(value)}
        return bar_chart(title, list(shown), {label: list(shown.values())}, label, log=True) if shown else None

    return draw


updates = by_layer("Change of the weights per step over their norm", update, "median over the run")


def dead_units(run: RunRecord, finding: Finding) -> Figure | None:
    """The share of units at zero, over time."""
    layers = spread([layer for layer in run.layers if layer.rectified and layer.path])
    rows = {layer.path: [(float(w.step), w.dead / layer.units) for w in layer.windows] for layer in layers}
    return strip_picture("Share of units at zero in each window of steps", rows) if rows else None


def signal(run: RunRecord, finding: Finding) -> Figure | None:
    """Measured and predicted mean square, layer by layer, at the first probe."""
    first = next(iter(run.of(Propagation)), None)
    rows = first.weights[:MOST_LAYERS] if first is not None else ()
    if not rows:
        return None
    series: dict[str, list[float | None]] = {
        "measured": [row.mean_square for row in rows],
        "predicted by theory": [row.predicted_mean_square for row in rows],
    }
    return bar_chart("Mean square of each layer's output", [r.layer for r in rows], series, "mean square", log=True)
