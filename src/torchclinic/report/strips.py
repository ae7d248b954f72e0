"""Strips over time: one row per layer, one picture per quantity, small however long the run was."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from torchclinic.report.axes import FONT, LETTER
from torchclinic.report.drawing import INK, Drawing
from torchclinic.report.heat import FAINTEST, STRONGEST, shaded_text
from torchclinic.report.model import Table, Value
from torchclinic.report.results import Figure
from torchclinic.units import format_number

WIDTH = 640.0
ROW = 16.0
COLUMNS = 96
TABLE_COLUMNS = 6
BLUE = (30, 144, 255)
CROSSED = (220, 60, 40)
Points = Sequence[tuple[float, float]]


def strip_picture(
    title: str, series: Mapping[str, Points], x_label: str = "step", *, log: bool = False, description: str = ""
) -> Figure:
    """Values ≥ 0 over time, shaded from clear (smallest) to blue (largest), red where NaN or infinite.

    `series` gives points (step, value) for each row. `log` shades by order of magnitude; 0 is then clear. The table
    beside the picture holds the values at up to six of the steps.
    """
    steps = sorted({step for points in series.values() for step, _ in points})
    first, last = (steps[0], steps[-1]) if steps else (0.0, 0.0)
    columns = max(1, min(COLUMNS, len(steps)))
    cells = [_cells(points, first, last, columns) for points in series.values()]
    low, high = _range(cells, log)
    pixels = np.stack([_pixels(row, low, high, log) for row in cells]) if cells else np.zeros((1, 1, 4), np.uint8)
    left = 16 + min(220.0, LETTER * max((len(name) for name in series), default=0))
    height = ROW * len(cells)
    drawing = Drawing(WIDTH, height + 62, title, description)
    for index, name in enumerate(series):
        drawing.text(left - 6, ROW * (index + 0.5) + 4, name[-35:], size=FONT, anchor="end")
    drawing.rect(left, 0, WIDTH - left - 8, height, stroke=INK, opacity=0.3)
    drawing.picture(left, 0, WIDTH - left - 8, height, pixels, title)
    for step, x, anchor in ((first, left, "start"), (last, WIDTH - 8, "end")):
        drawing.text(x, height + 15, f"{x_label} {format_number(step)}", size=FONT, anchor=anchor)
    _draw_scale(drawing, left, height + 38, low, high, log)
    text = shaded_text(list(series), steps, cells, high, low, log) if cells and steps else ""
    return Figure(title, drawing.svg(), _table(series, steps, x_label), description, text)


def _cells(points: Points, first: float, last: float, columns: int) -> list[float | None]:
    """The largest value of each stretch, NaN where one is not finite; an empty stretch repeats the one before."""
    row: list[float | None] = [None] * columns
    for step, value in points:
        at = min(columns - 1, int((step - first) / (last - first) * columns)) if last > first else 0
        known = row[at]
        row[at] = math.nan if not math.isfinite(value) else value if known is None else max(known, value)
    for index in range(1, columns):
        if row[index] is None:
            row[index] = row[index - 1]
    return row


def _range(cells: list[list[float | None]], log: bool) -> tuple[float, float]:
    finite = [v for row in cells for v in row if v is not None and math.isfinite(v) and (v > 0 or not log)]
    if not finite:
        return (1.0, 1.0) if log else (0.0, 1.0)
    return (min(finite) if log else 0.0), max(finite)


def _share(value: float, low: float, high: float, log: bool) -> float:
    if log and value <= 0:
        return 0.0
    if high <= low:
        return 1.0 if value > 0 else 0.0
    return math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)


def _pixels(row: list[float | None], low: float, high: float, log: bool) -> np.ndarray:
    """RGBA uint8 [columns, 4]."""
    result = np.zeros((len(row), 4), np.uint8)
    for index, value in enumerate(row):
        if value is None:
            continue
        if not math.isfinite(value):
            result[index] = (*CROSSED, 255)
        else:
            opacity = FAINTEST + (STRONGEST - FAINTEST) * min(1.0, max(0.0, _share(value, low, high, log)))
            result[index] = (*BLUE, round(255 * opacity))
    return result


def _draw_scale(drawing: Drawing, x: float, y: float, low: float, high: float, log: bool) -> None:
    ramp = np.stack([_pixels([low + (high - low) * i / 47 for i in range(48)], low, high, False)])
    drawing.text(x, y + 9, format_number(low), size=FONT)
    start = x + 8 + LETTER * len(format_number(low))
    drawing.rect(start, y, 96, 10, stroke=INK, opacity=0.3)
    drawing.picture(start, y, 96, 10, ramp)
    drawing.text(start + 104, y + 9, format_number(high) + (" (by order of magnitude)" if log else ""), size=FONT)


def _table(series: Mapping[str, Points], steps: list[float], x_label: str) -> Table:
    chosen = sorted({steps[round(i * (len(steps) - 1) / (TABLE_COLUMNS - 1))] for i in range(TABLE_COLUMNS)} if steps else [])
    rows: list[tuple[Value, ...]] = []
    for name, points in series.items():
        known = dict(points)
        rows.append((name, *(known.get(step) for step in chosen)))
    return Table((x_label, *(format_number(step) for step in chosen)), tuple(rows))
