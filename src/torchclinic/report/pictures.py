"""Matrices as coloured cells, and grids of small images, as figures."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from torchclinic.errors import InputError
from torchclinic.report.axes import FONT, LETTER
from torchclinic.report.drawing import COLORS, INK, Drawing
from torchclinic.report.model import Figure, Table
from torchclinic.units import format_number

STRONGEST = 0.7  # opacity of the largest value: text in ink stays readable on it, on a light and on a dark page
MOST_ANNOTATED = 300  # cells with their number written in


def heat_map(
    title: str,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    values: Sequence[Sequence[float | None]] | Any,
    *,
    row_label: str = "",
    column_label: str = "",
    annotate: bool | None = None,
    description: str = "",
) -> Figure:
    """Cells shaded by value: 0 is clear, positive blue, negative orange. None is an empty cell, NaN a crossed one.

    `annotate` writes the numbers into the cells (by default where they fit). For a confusion matrix give the counts,
    `row_label="true"` and `column_label="predicted"`.
    """
    cells = [[None if value is None else float(value) for value in row] for row in values]
    if len(cells) != len(row_labels) or any(len(row) != len(column_labels) for row in cells):
        raise InputError(
            f"heat_map {title!r} got {len(cells)} rows of {sorted({len(row) for row in cells})} values; "
            f"its labels call for {len(row_labels)} rows of {len(column_labels)}."
        )
    if annotate is None:
        annotate = len(row_labels) * len(column_labels) <= MOST_ANNOTATED and len(column_labels) <= 16
    left = 30 + min(220.0, LETTER * max((len(label) for label in row_labels), default=0))
    width = 52.0 if annotate else max(2.0, min(24.0, 560 / max(len(column_labels), 1)))
    height = 26.0 if annotate else 20.0
    slanted = any(LETTER * len(label) > width for label in column_labels)
    top = 24 + (min(120.0, 0.8 * LETTER * max((len(label) for label in column_labels), default=0)) if slanted else 14)
    drawing = Drawing(
        max(left + width * len(column_labels) + 40, 200), top + height * len(row_labels) + 34, title, description
    )
    largest = max((abs(v) for row in cells for v in row if v is not None and math.isfinite(v)), default=0.0)
    for r, row in enumerate(cells):
        drawing.text(left - 6, top + height * r + height / 2 + 4, row_labels[r][:36], size=FONT, anchor="end")
        for c, value in enumerate(row):
            tooltip = f"{row_labels[r]}, {column_labels[c]}: {'none' if value is None else format_number(value)}"
            box = (left + width * c, top + height * r, width - 1, height - 1)
            _draw_cell(drawing, box, value, largest, annotate, tooltip if len(cells) * len(row) <= 2000 else "")
    _draw_column_labels(drawing, column_labels, left, top, width, slanted)
    drawing.text(left, 12, column_label, size=12, bold=True)
    drawing.text(12, top + height * len(row_labels) / 2, row_label, size=12, bold=True, anchor="middle", rotate=-90)
    _draw_scale(drawing, left, top + height * len(row_labels) + 12, cells, largest)
    rows = tuple((label, *row) for label, row in zip(row_labels, cells, strict=True))
    corner = " \\ ".join(filter(None, (row_label, column_label)))
    return Figure(title, drawing.svg(), Table((corner, *column_labels), rows), description)


def image_grid(
    title: str,
    images: Any,
    labels: Sequence[str] = (),
    *,
    columns: int = 10,
    scale: float = 0.0,
    description: str = "",
) -> Figure:
    """Images uint8 [n, H, W] or [n, H, W, 3], with a label below each; `scale` in screen pixels per image pixel."""
    pixels = np.asarray(images)
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
        raise InputError(
            f"image_grid {title!r} got {pixels.dtype} {list(pixels.shape)}; it needs uint8 [n, H, W] or [n, H, W, 3]."
        )
    names = [*labels, *[""] * (len(pixels) - len(labels))]
    scale = scale or max(1.0, round(56 / max(pixels.shape[1:3])))
    width, height = pixels.shape[2] * scale, pixels.shape[1] * scale
    lines = max((label.count("\n") + 1 for label in labels), default=0)
    longest = max((len(line) for label in labels for line in label.split("\n")), default=0)
    cell_width = max(width, LETTER * longest) + 8
    cell_height = height + 14 * lines + 8
    columns = max(1, min(columns, len(pixels)))
    drawing = Drawing(
        max(cell_width * columns, 40), max(cell_height * math.ceil(len(pixels) / columns), 20), title, description
    )
    for index, (image, label) in enumerate(zip(pixels, names, strict=True)):
        x, y = cell_width * (index % columns), cell_height * (index // columns)
        drawing.rect(x + (cell_width - width) / 2 - 0.5, y + 0.5, width + 1, height + 1, stroke=INK, opacity=0.4)
        drawing.picture(x + (cell_width - width) / 2, y + 1, width, height, image, label.replace("\n", ", "))
        for row, line in enumerate(label.split("\n") if label else ()):
            drawing.text(x + cell_width / 2, y + height + 14 * (row + 1), line, size=FONT, anchor="middle")
    rows = tuple((index, label.replace("\n", ", ")) for index, label in enumerate(names))
    return Figure(title, drawing.svg(), Table(("image", "label"), rows), description)


def signed_pixels(values: Any) -> np.ndarray:
    """Values [n, H, W] as pixels uint8 [n, H, W, 3]: 0 grey, positive blue, negative orange, each on its own scale."""
    array = np.asarray(values, dtype=np.float64)
    largest = np.abs(array).max(axis=(-2, -1), keepdims=True)
    share = (array / np.where(largest == 0, 1, largest))[..., None]
    grey, blue, orange = (
        np.array(color, dtype=np.float64) for color in ((128, 128, 128), (30, 144, 255), (255, 140, 0))
    )
    mixed = grey + np.clip(share, 0, 1) * (blue - grey) + np.clip(-share, 0, 1) * (orange - grey)
    return mixed.round().astype(np.uint8)


def _draw_cell(
    drawing: Drawing,
    box: tuple[float, float, float, float],
    value: float | None,
    largest: float,
    annotate: bool,
    tooltip: str,
) -> None:
    x, y, width, height = box
    if value is None:
        drawing.rect(*box, stroke=INK, opacity=0.15, dash="2 2", tooltip=tooltip)
    elif not math.isfinite(value):
        drawing.rect(*box, stroke=INK, opacity=0.5, tooltip=tooltip)
        drawing.line(x, y, x + width, y + height, opacity=0.5)
    else:
        share = abs(value) / largest if largest else 0.0
        opacity = 0.03 + (STRONGEST - 0.03) * share
        drawing.rect(*box, fill=COLORS[0] if value >= 0 else COLORS[1], opacity=opacity, tooltip=tooltip)
    if annotate and value is not None:
        drawing.text(x + width / 2, y + height / 2 + 4, format_number(value, 3), size=FONT, anchor="middle")


def _draw_column_labels(
    drawing: Drawing, labels: Sequence[str], left: float, top: float, width: float, slanted: bool
) -> None:
    every = max(1, math.ceil(13 / width))
    for index, label in enumerate(labels):
        if index % every:
            continue
        x = left + width * (index + 0.5)
        if slanted:
            drawing.text(x, top - 6, label[:24], size=FONT, rotate=-50)
        else:
            drawing.text(x, top - 6, label, size=FONT, anchor="middle")


def _draw_scale(drawing: Drawing, x: float, y: float, cells: list[list[float | None]], largest: float) -> None:
    """The ends of the colour scale."""
    signs = (-1, 1) if any(value is not None and value < 0 for row in cells for value in row) else (1,)
    for sign in signs:
        color = COLORS[0] if sign > 0 else COLORS[1]
        drawing.rect(x, y, 24, 10, fill=color, opacity=STRONGEST)
        text = f"{'−' if sign < 0 else ''}{format_number(largest)}"
        drawing.text(x + 29, y + 9, text, size=FONT)
        x += 45 + LETTER * len(text)
