"""Matrices as shaded cells, and strips of values over time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from torchclinic.errors import InputError
from torchclinic.report.axes import FONT, LETTER
from torchclinic.report.drawing import COLORS, INK, Drawing
from torchclinic.report.model import Table
from torchclinic.report.results import Figure
from torchclinic.units import format_number

FAINTEST, STRONGEST = 0.04, 0.9  # opacities
STRONGEST_BELOW_TEXT = 0.55  # ink keeps a contrast of 4.5 on it, on light and dark pages
MOST_ANNOTATED = 16  # columns with their numbers written in
TEXT_COLUMNS = 54  # of a shaded row in a terminal
SHADES = " ·░▒▓█"
Cells = list[list[float | None]]


@dataclass(frozen=True, slots=True)
class _Shade:
    """How strong a value is drawn: its share of the largest, or (log) its place between smallest and largest."""

    largest: float
    smallest: float  # positive; used by the log scale
    log: bool
    strongest: float  # opacity

    def opacity(self, value: float) -> float:
        return FAINTEST + (self.strongest - FAINTEST) * self.share(value)

    def share(self, value: float) -> float:
        if not self.log:
            return abs(value) / self.largest if self.largest else 0.0
        if self.largest <= self.smallest:
            return 1.0
        low, high = math.log10(self.smallest), math.log10(self.largest)
        return min(1.0, (math.log10(value) - low) / (high - low))

    def shows(self, value: float) -> bool:
        return math.isfinite(value) and (not self.log or value > 0)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the cells are, in pixels."""

    left: float
    top: float
    width: float
    height: float
    slanted: bool  # column labels are too long to stand side by side


def heat_map(
    title: str,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    values: Sequence[Sequence[float | None]] | Any,
    *,
    row_label: str = "",
    column_label: str = "",
    annotate: bool | None = None,
    log: bool = False,
    description: str = "",
) -> Figure:
    """Cells shaded by value: 0 is clear, positive blue, negative orange. None is an empty cell, NaN a crossed one.

    `annotate` writes the numbers into the cells (by default where they fit). `log` shades by order of magnitude; values
    that are not positive are then crossed. For a confusion matrix give the counts, `row_label="true"` and
    `column_label="predicted"`.

    Raises:
        InputError: the values do not fit the labels.
    """
    cells: Cells = [[None if value is None else float(value) for value in row] for row in values]
    _check_shape(title, cells, len(row_labels), len(column_labels))
    if annotate is None:
        annotate = len(column_labels) <= MOST_ANNOTATED
    shade = _shade(cells, log, STRONGEST_BELOW_TEXT if annotate else STRONGEST)
    grid = _grid(row_labels, column_labels, annotate)
    width = max(grid.left + grid.width * len(column_labels) + 40, 220)
    bottom = grid.top + grid.height * len(row_labels)
    drawing = Drawing(width, bottom + 34, title, description)
    for r, (label, row) in enumerate(zip(row_labels, cells, strict=True)):
        middle = grid.top + grid.height * (r + 0.5) + 4
        drawing.text(grid.left - 6, middle, label[-36:], size=FONT, anchor="end")
        for c, value in enumerate(row):
            box = (grid.left + grid.width * c, grid.top + grid.height * r, grid.width - 1, grid.height - 1)
            _draw_cell(drawing, box, value, shade, annotate, (label, column_labels[c]))
    _draw_column_labels(drawing, column_labels, grid)
    drawing.text(grid.left, 12, column_label, size=12, bold=True)
    drawing.text(12, (grid.top + bottom) / 2, row_label, size=12, bold=True, anchor="middle", rotate=-90)
    _draw_scale(drawing, grid.left, bottom + 12, cells, shade)
    rows = tuple((label, *row) for label, row in zip(row_labels, cells, strict=True))
    corner = " \\ ".join(filter(None, (row_label, column_label)))
    text = "" if annotate else _shaded_rows(row_labels, column_labels, cells, shade)
    return Figure(title, drawing.svg(), Table((corner, *column_labels), rows), description, text)


def strip_heat_map(
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    x_label: str = "step",
    *,
    log: bool = True,
    columns: int = 80,
    description: str = "",
) -> Figure:
    """One strip per series of points (step, value) over time.

    Steps are gathered into at most `columns` equal stretches. A cell shows the value of the largest magnitude in its
    stretch, and is crossed if one of them is NaN or infinite.
    """
    steps = sorted({step for points in series.values() for step, _ in points})
    if not steps:
        return heat_map(title, list(series), [], [[] for _ in series], description=description)
    first, span = steps[0], steps[-1] - steps[0]
    count = min(columns, len(steps))
    cells: Cells = []
    for points in series.values():
        row: list[float | None] = [None] * count
        for step, value in points:
            at = min(count - 1, int((step - first) / span * count)) if span else 0
            row[at] = _worse(row[at], value)
        cells.append(row)
    starts = [first + span * index / count for index in range(count)]
    whole = all(float(step).is_integer() for step in steps)
    labels = [format_number(math.ceil(start) if whole else start) for start in starts]
    return heat_map(title, list(series), labels, cells, column_label=x_label, annotate=False, log=log, description=description)


def _check_shape(title: str, cells: Cells, rows: int, columns: int) -> None:
    if len(cells) != rows or any(len(row) != columns for row in cells):
        raise InputError(
            f"heat_map {title!r} got {len(cells)} rows of {sorted({len(row) for row in cells})} values; "
            f"its labels call for {rows} rows of {columns}."
        )


def _worse(known: float | None, value: float) -> float:
    if known is None or not math.isfinite(value):
        return value
    return known if not math.isfinite(known) or abs(known) >= abs(value) else value


def _shade(cells: Cells, log: bool, strongest: float) -> _Shade:
    sizes = [abs(value) for row in cells for value in row if value is not None and math.isfinite(value)]
    positive = [value for row in cells for value in row if value is not None and 0 < value < math.inf]
    return _Shade(max(sizes, default=0.0), min(positive, default=1.0), log, strongest)


def _grid(row_labels: Sequence[str], column_labels: Sequence[str], annotate: bool) -> _Grid:
    longest_row = max((len(label) for label in row_labels), default=0)
    longest_column = max((len(label) for label in column_labels), default=0)
    width = 52.0 if annotate else max(3.0, min(24.0, 560 / max(len(column_labels), 1)))
    slanted = LETTER * longest_column > width
    top = 24 + (min(110.0, 0.8 * LETTER * longest_column) if slanted else 14)
    return _Grid(30 + min(220.0, LETTER * longest_row), top, width, 26.0 if annotate else 20.0, slanted)


def _draw_cell(
    drawing: Drawing,
    box: tuple[float, float, float, float],
    value: float | None,
    shade: _Shade,
    annotate: bool,
    names: tuple[str, str],
) -> None:
    x, y, width, height = box
    tooltip = f"{names[0]}, {names[1]}: {'none' if value is None else format_number(value)}"
    if value is None:
        drawing.rect(*box, stroke=INK, opacity=0.15, dash="2 2", tooltip=tooltip)
    elif not shade.shows(value):
        drawing.rect(*box, stroke=INK, opacity=0.5, tooltip=tooltip)
        if not annotate:
            drawing.line(x, y, x + width, y + height, opacity=0.5)
    else:
        color = COLORS[0] if value >= 0 else COLORS[1]
        drawing.rect(*box, fill=color, opacity=shade.opacity(value), tooltip=tooltip)
    if annotate and value is not None:
        drawing.text(x + width / 2, y + height / 2 + 4, format_number(value, 3), size=FONT, anchor="middle")


def _draw_column_labels(drawing: Drawing, labels: Sequence[str], grid: _Grid) -> None:
    """Above the columns; where they are narrow, only every so many that they do not overlap."""
    longest = max((len(label) for label in labels), default=0)
    beside = grid.slanted and grid.width < 13 and LETTER * longest < 80  # short labels stay level and are thinned
    every = math.ceil((LETTER * longest + 10 if beside else 13) / grid.width)
    for index, label in enumerate(labels):
        if index % every:
            continue
        x, y = grid.left + grid.width * (index + 0.5), grid.top - 6
        if grid.slanted and not beside:
            drawing.text(x, y, label[:24], size=FONT, rotate=-50)
        else:
            drawing.text(x, y, label, size=FONT, anchor="middle")


def _draw_scale(drawing: Drawing, x: float, y: float, cells: Cells, shade: _Shade) -> None:
    """The ends of the scale: what the strongest colours stand for, and on a log scale the faintest."""
    negative = any(value is not None and value < 0 for row in cells for value in row)
    ends = [(COLORS[0], shade.strongest, shade.largest)]
    if shade.log:
        ends.insert(0, (COLORS[0], FAINTEST, shade.smallest))
    elif negative:
        ends.insert(0, (COLORS[1], shade.strongest, -shade.largest))
    for color, opacity, value in ends:
        text = format_number(value)
        drawing.rect(x, y, 24, 10, stroke=INK, opacity=0.3)
        drawing.rect(x, y, 24, 10, fill=color, opacity=opacity)
        drawing.text(x + 29, y + 9, text, size=FONT)
        x += 45 + LETTER * len(text)


def shaded_text(row_labels: Sequence[str], steps: Sequence[float], cells: Cells, largest: float, smallest: float, log: bool) -> str:
    """Rows of shades for a terminal, between the first and the last of `steps`."""
    count = max((len(row) for row in cells), default=0)
    ends = [format_number(steps[0]), *[""] * (count - 2), format_number(steps[-1])][:count]
    return _shaded_rows(row_labels, ends, cells, _Shade(largest, smallest, log, STRONGEST))


def _shaded_rows(row_labels: Sequence[str], column_labels: Sequence[str], cells: Cells, shade: _Shade) -> str:
    """Rows of shades for a terminal; `×` is a value off the scale. Merged cells show the worst of them."""
    count = len(column_labels)
    letters = min(count, TEXT_COLUMNS)
    stretches = [(i * count // letters, (i + 1) * count // letters) for i in range(letters)]
    lines = [
        f"{label[-20:]:<20} │{''.join(_shade_letter(row[start:end], shade) for start, end in stretches)}│"
        for label, row in zip(row_labels, cells, strict=True)
    ]
    if column_labels:
        lines.append(f"{'':<20}  {column_labels[0]} … {column_labels[-1]}; █ = {format_number(shade.largest)}")
    return "\n".join(lines)


def _shade_letter(values: list[float | None], shade: _Shade) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return " "
    worst = reduce(_worse, known)
    return SHADES[math.ceil(shade.share(worst) * (len(SHADES) - 1))] if shade.shows(worst) else "×"
