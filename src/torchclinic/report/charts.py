"""Line charts, bar charts and histograms as figures. A value that has no place on an axis is counted, never hidden."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from torchclinic.report.axes import (
    FONT,
    LETTER,
    NARROWEST,
    Axis,
    axis_for,
    draw_legend,
    draw_x_axis,
    draw_y_axis,
    left_margin,
    legend_height,
)
from torchclinic.report.drawing import COLORS, Drawing
from torchclinic.report.model import Table, Value
from torchclinic.report.results import Figure
from torchclinic.units import format_number

WIDTH = 640.0
PLOT_HEIGHT = 240.0
LEFT = 62.0
RIGHT = 14.0
MOST_POINTS = 500  # drawn per series: one minimum and one maximum per pixel column or so
MOST_ROWS = 200  # of the table beside a line chart
MOST_BINNED = 1e300  # differences of larger values overflow
SPARKS = "▁▂▃▄▅▆▇█"
Points = Sequence[tuple[float, float]]


def line_chart(
    title: str,
    series: Mapping[str, Points],
    x_label: str = "",
    y_label: str = "",
    *,
    log_x: bool = False,
    log_y: bool = False,
    markers: bool = False,
    dashed: Collection[str] = (),
    levels: Mapping[str, float] | None = None,
    events: Mapping[str, float] | None = None,
    description: str = "",
) -> Figure:
    """One line per series of points (x, y), in their order.

    `dashed` names the series drawn dashed (predictions, say), `levels` adds horizontal lines with a name, `events`
    vertical ones at an x with the name beside it, `markers` a dot per point. NaN, infinity, and values ≤ 0 on a log axis
    interrupt the line; how many is written below the plot.
    """
    points = {name: [(float(x), float(y)) for x, y in line] for name, line in series.items()}
    levels = levels or {}
    names = [*points, *levels]
    colors = [COLORS[index % len(COLORS)] for index in range(len(names))]
    top = legend_height(names, LEFT, WIDTH)
    drawing = Drawing(WIDTH, top + PLOT_HEIGHT + 56, title, description)
    everything = [point for line in points.values() for point in line]
    y = axis_for([*(y for _, y in everything), *levels.values()], top + PLOT_HEIGHT, top, log_y)
    x = axis_for((x for x, _ in everything), left_margin(y, y_label), WIDTH - RIGHT, log_x)
    draw_x_axis(drawing, x, y.start, x_label)
    draw_y_axis(drawing, y, x.start, x.end, y_label)
    draw_legend(drawing, names, colors, LEFT, [*dashed, *levels])
    for name, color in zip(points, colors, strict=False):
        _draw_line(drawing, points[name], x, y, color, "5 4" if name in dashed else "", markers)
    for name, color in zip(levels, colors[len(points) :], strict=True):
        if y.shows(levels[name]):
            at = y.position(levels[name])
            drawing.line(x.start, at, x.end, at, stroke=color, width=1.5, dash="4 3")
    _draw_events(drawing, {name: at for name, at in (events or {}).items() if x.shows(at)}, x, y)
    missing = sum(not (x.shows(a) and y.shows(b)) for a, b in everything)
    _note_missing(drawing, missing + sum(not y.shows(level) for level in levels.values()))
    table = _points_table(points, levels, x_label or "x", y_label)
    return Figure(title, drawing.svg(), table, description, _sparklines(points, levels, log_y))


def bar_chart(
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    value_label: str = "",
    *,
    log: bool = False,
    errors: Mapping[str, Sequence[float | None]] | None = None,
    description: str = "",
) -> Figure:
    """Horizontal bars: one group per label, one bar per series, the value written at its end.

    `errors` gives half the length of a whisker around the value. On a log axis bars start at the left edge.
    """
    errors = errors or {}
    names = list(series)
    left = min(260.0, 20 + LETTER * max((len(label) for label in labels), default=0))
    top = legend_height(names if len(names) > 1 else [], left, WIDTH)
    thickness = 14.0 if len(names) > 1 else 18.0
    group = thickness * len(names) + 8
    drawing = Drawing(WIDTH, top + group * len(labels) + 48, title, description)
    values = [value for name in names for value in series[name]]
    reach = [
        v + s * (e or 0.0) for n in errors for v, e in zip(series[n], errors[n], strict=True) if v is not None for s in (1, -1)
    ]
    x = axis_for([*values, *reach], left, WIDTH - 70, log, zero=True)
    draw_x_axis(drawing, x, top + group * len(labels), value_label)
    if len(names) > 1:
        draw_legend(drawing, names, COLORS[: len(names)], left, ())
    for row, label in enumerate(labels):
        middle = top + group * row + (group - 8) / 2
        drawing.text(left - 8, middle + 4, _shortened(label, 39), size=FONT, anchor="end")
        for index, name in enumerate(names):
            error = errors[name][row] if name in errors else None
            at = top + group * row + thickness * index
            _draw_bar(drawing, x, at, thickness - 2, series[name][row], error, COLORS[index % len(COLORS)])
    return Figure(title, drawing.svg(), _bars_table(labels, series, errors, value_label), description)


def histogram(
    title: str, series: Mapping[str, Any], x_label: str = "", *, bins: int = 40, log_y: bool = False, description: str = ""
) -> Figure:
    """Counts of each series' values (anything numpy reads, any shape) in the same equal bins, as outlines."""
    arrays = {name: np.asarray(values, dtype=np.float64).ravel() for name, values in series.items()}
    finite = {name: values[np.abs(values) < MOST_BINNED] for name, values in arrays.items()}
    together = np.concatenate(list(finite.values())) if finite else np.empty(0)
    edges = np.linspace(*_bounds(together), bins + 1)
    counts = {name: np.histogram(values, edges)[0] for name, values in finite.items()}
    top = legend_height(list(series), LEFT, WIDTH)
    drawing = Drawing(WIDTH, top + PLOT_HEIGHT + 56, title, description)
    tallest = max((int(count.max()) for count in counts.values()), default=1)
    y = axis_for([0.5, tallest] if log_y else [0, max(tallest, 1)], top + PLOT_HEIGHT, top, log_y, zero=True)
    x = axis_for(edges.tolist(), left_margin(y, "count"), WIDTH - RIGHT)
    draw_x_axis(drawing, x, y.start, x_label)
    draw_y_axis(drawing, y, x.start, x.end, "count")
    draw_legend(drawing, list(series), COLORS[: len(series)], LEFT, ())
    for color, count in zip(COLORS, counts.values(), strict=False):
        heights = [y.position(max(float(c), y.low)) for c in count]
        steps = [(x.position(edges[i + side]), height) for i, height in enumerate(heights) for side in (0, 1)]
        base = [(steps[-1][0], y.start), (steps[0][0], y.start)]
        drawing.polyline([*steps, *base], stroke="none", fill=color, opacity=0.25)
        drawing.polyline(steps, stroke=color)
    _note_missing(drawing, sum(array.size for array in arrays.values()) - together.size)
    rows = tuple(zip(edges[:-1].tolist(), edges[1:].tolist(), *(c.tolist() for c in counts.values()), strict=True))
    text = "\n".join(f"{name:<20.20} {_spark(count.tolist())}" for name, count in counts.items())
    text += f"\n{'':<20} {format_number(float(edges[0]))} to {format_number(float(edges[-1]))} {x_label}"
    return Figure(title, drawing.svg(), Table(("from", "to", *series), rows, x_label), description, text)


def _bounds(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest value; around a single value some room."""
    axis = axis_for(values.tolist(), 0, 1)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    return (low, high) if high - low > NARROWEST * max(abs(low), abs(high)) else (axis.low, axis.high)


def _draw_line(drawing: Drawing, line: Points, x: Axis, y: Axis, color: str, dash: str, markers: bool) -> None:
    for piece in _pieces(line, x, y):
        if len(piece) > 1:
            drawing.polyline(_thinned(piece), stroke=color, width=2, dash=dash)
        for at in piece if markers or len(piece) == 1 else ():
            drawing.circle(*at, 3, fill=color)


def _draw_events(drawing: Drawing, events: Mapping[str, float], x: Axis, y: Axis) -> None:
    for index, (name, value) in enumerate(sorted(events.items(), key=lambda item: item[1])):
        at = x.position(min(max(value, x.low), x.high))
        drawing.line(at, y.start, at, y.end, stroke=COLORS[1], width=1.5, dash="2 3")
        side = "end" if at > (x.start + x.end) / 2 else "start"
        drawing.text(at + (-4 if side == "end" else 4), y.end + 12 + 14 * (index % 12), name, size=FONT, anchor=side)


def _pieces(line: Points, x: Axis, y: Axis) -> list[list[tuple[float, float]]]:
    """The line in pixels, cut where a point has no place."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for a, b in line:
        if x.shows(a) and y.shows(b):
            pieces[-1].append((x.position(a), y.position(b)))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _thinned(piece: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most MOST_POINTS points that keep the lowest and the highest of every stretch, and both ends."""
    if len(piece) <= MOST_POINTS:
        return piece
    size = math.ceil(len(piece) / (MOST_POINTS / 2 - 1))
    kept = {0, len(piece) - 1}
    for start in range(0, len(piece), size):
        stretch = range(start, min(start + size, len(piece)))
        kept |= {min(stretch, key=lambda i: piece[i][1]), max(stretch, key=lambda i: piece[i][1])}
    return [piece[index] for index in sorted(kept)]


def _draw_bar(drawing: Drawing, x: Axis, top: float, height: float, value: float | None, error: float | None, color: str) -> None:
    zero = x.start if x.log else x.position(0.0)
    if not x.shows(value):
        drawing.text(zero + 4, top + height - 3, "none" if value is None else f"{value:g}", size=FONT, opacity=0.8)
        return
    assert value is not None
    end = x.position(value)
    drawing.rect(min(zero, end), top, abs(end - zero), height, fill=color)
    reach = end
    if error is not None and x.shows(value - error) and x.shows(value + error):
        low, reach = x.position(value - error), x.position(value + error)
        drawing.line(low, top + height / 2, reach, top + height / 2, width=1.5)
    drawing.text(max(reach, zero) + 5, top + height - 3, format_number(value), size=FONT)


def _bars_table(
    labels: Sequence[str], series: Mapping[str, Sequence[float | None]], errors: Mapping[str, Sequence[float | None]], caption: str
) -> Table:
    columns: list[Sequence[Value]] = [list(labels), *map(list, series.values()), *map(list, errors.values())]
    heads = ("", *series, *(f"{name} ±" for name in errors))
    return Table(heads, tuple(zip(*columns, strict=True)), caption)


def _note_missing(drawing: Drawing, missing: int) -> None:
    if missing:
        text = f"{missing:,} of the points cannot be drawn (NaN, infinite, or not positive on a log axis)"
        drawing.text(LEFT, drawing.height - 4, text, size=FONT)


def _points_table(points: Mapping[str, Points], levels: Mapping[str, float], x_label: str, caption: str) -> Table:
    by_x = {name: dict(line) for name, line in points.items()}
    xs = sorted({x for line in by_x.values() for x in line})
    stride = math.ceil(len(xs) / MOST_ROWS) or 1
    shown = xs[::stride] + ([xs[-1]] if xs and (len(xs) - 1) % stride else [])
    rows = tuple((_whole(x), *(line.get(x) for line in by_x.values()), *levels.values()) for x in shown)
    if stride > 1:
        caption = f"{caption} ({len(shown)} of {len(xs):,} points)".strip()
    return Table((x_label, *points, *levels), rows, caption)


def _whole(x: float) -> float | int:
    return int(x) if x.is_integer() else x


def _sparklines(points: Mapping[str, Points], levels: Mapping[str, float], log: bool) -> str:
    """`train  2.31 ▇▅▃▂▁ 0.07`: first value, course, last value."""
    lines = []
    for name, line in points.items():
        values = [y for _, y in line]
        ends = (format_number(values[0]), format_number(values[-1])) if values else ("", "")
        lines.append(f"{name:<20.20} {ends[0]:>9} {_spark([_log(y) if log else y for y in values])} {ends[1]}")
    return "\n".join([*lines, *(f"{name:<20.20} {format_number(level):>9}" for name, level in levels.items())])


def _log(value: float) -> float:
    return math.log10(value) if value > 0 else math.nan


def _spark(values: Sequence[float], width: int = 36) -> str:
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    span = high / 8 - low / 8 or 1.0
    sampled = [values[index * len(values) // width] for index in range(width)] if len(values) > width else values
    return "".join(SPARKS[min(7, int(v / span - low / span))] if math.isfinite(v) else "×" for v in sampled)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"…{text[1 - most :]}"
