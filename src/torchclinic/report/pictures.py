"""Grids of small images as figures, and one image as text."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from torchclinic.errors import InputError
from torchclinic.report.axes import FONT, LETTER
from torchclinic.report.drawing import INK, Drawing
from torchclinic.report.model import Table
from torchclinic.report.results import Figure

TEXT_WIDTH = 78  # columns of a terminal
MOST_IN_TEXT = 10  # pictures shown in a terminal
# The dots of a braille character, by row and column, as bits above U+2800.
BRAILLE_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


def image_grid(
    title: str, images: Any, labels: Sequence[str] = (), *, columns: int = 10, scale: float = 0.0, description: str = ""
) -> Figure:
    """Images uint8 [n, H, W] or [n, H, W, 3], with a label below each; `scale` in screen pixels per image pixel."""
    pixels = np.asarray(images)
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
        raise InputError(f"image_grid {title!r} got {pixels.dtype} {list(pixels.shape)}; it needs uint8 [n, H, W] or [n, H, W, 3].")
    names = [*labels, *[""] * (len(pixels) - len(labels))]
    scale = scale or max(1.0, round(56 / max(pixels.shape[1:3])))
    width, height = pixels.shape[2] * scale, pixels.shape[1] * scale
    lines = max((label.count("\n") + 1 for label in labels), default=0)
    longest = max((len(line) for label in labels for line in label.split("\n")), default=0)
    cell_width = max(width, LETTER * longest) + 8
    cell_height = height + 14 * lines + 8
    columns = max(1, min(columns, len(pixels)))
    drawing = Drawing(max(cell_width * columns, 40), max(cell_height * math.ceil(len(pixels) / columns), 20), title, description)
    for index, (image, label) in enumerate(zip(pixels, names, strict=True)):
        x, y = cell_width * (index % columns), cell_height * (index // columns)
        drawing.rect(x + (cell_width - width) / 2 - 0.5, y + 0.5, width + 1, height + 1, stroke=INK, opacity=0.4)
        drawing.picture(x + (cell_width - width) / 2, y + 1, width, height, image, label.replace("\n", ", "))
        for row, line in enumerate(label.split("\n") if label else ()):
            drawing.text(x + cell_width / 2, y + height + 14 * (row + 1), line, size=FONT, anchor="middle")
    rows = tuple((index, label.replace("\n", ", ")) for index, label in enumerate(names))
    return Figure(title, drawing.svg(), Table(("image", "label"), rows), description, _grid_text(pixels, names))


def signed_pixels(values: Any) -> np.ndarray:
    """Values [n, H, W] as pixels uint8 [n, H, W, 3]: 0 grey, positive blue, negative orange, each on its own scale."""
    array = np.asarray(values, dtype=np.float64)
    largest = np.abs(array).max(axis=(-2, -1), keepdims=True)
    share = (array / np.where(largest == 0, 1, largest))[..., None]
    grey, blue, orange = (np.array(color, dtype=np.float64) for color in ((128, 128, 128), (30, 144, 255), (255, 140, 0)))
    mixed = grey + np.clip(share, 0, 1) * (blue - grey) + np.clip(-share, 0, 1) * (orange - grey)
    return mixed.round().astype(np.uint8)


def picture_text(pixels: Any) -> str:
    """A grey image uint8 [H, W] in braille characters: a dot where a pixel is brighter than the middle of its range."""
    array = np.asarray(pixels, dtype=np.float64)
    bright = array > (array.min() + array.max()) / 2
    padded = np.pad(bright, ((0, -len(bright) % 4), (0, -bright.shape[1] % 2)))
    blocks = padded.reshape(len(padded) // 4, 4, padded.shape[1] // 2, 2).swapaxes(1, 2)
    codes = 0x2800 + (blocks * BRAILLE_BITS).sum(axis=(2, 3))
    return "\n".join("".join(map(chr, row)) for row in codes)


def _grid_text(pixels: np.ndarray, labels: Sequence[str]) -> str:
    """Grey images side by side; empty for coloured ones and for those too wide."""
    width = max(math.ceil(pixels.shape[2] / 2), *(len(label.replace("\n", ", ")) for label in labels), 1) + 2
    if pixels.ndim != 3 or not len(pixels) or width > TEXT_WIDTH:
        return ""
    across = TEXT_WIDTH // width
    lines = []
    for start in range(0, min(len(pixels), MOST_IN_TEXT), across):
        shown = range(start, min(start + across, len(pixels), MOST_IN_TEXT))
        pictures = [picture_text(pixels[index]).split("\n") for index in shown]
        lines += ["".join(f"{part:<{width}}" for part in parts) for parts in zip(*pictures, strict=True)]
        lines.append("".join(f"{labels[index].replace(chr(10), ', '):<{width}}" for index in shown))
    if len(pixels) > MOST_IN_TEXT:
        lines.append(f"… {len(pixels) - MOST_IN_TEXT} more pictures (the HTML report shows them)")
    return "\n".join(line.rstrip() for line in lines)
