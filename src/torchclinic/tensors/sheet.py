"""A sheet of drawn cells: tensors of any shape as grids, cut off where they are large, with every cut marked."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod

from torchclinic.report.drawing import COLORS, INK, NONE, Drawing
from torchclinic.report.model import Table
from torchclinic.report.results import Figure

CELL = 38  # pixels
PER_ROW = 16  # cells of storage in a row
STRIP = 48  # cells of storage shown
GRID = 8  # rows and columns of a grid shown
FACETS = 4  # grids shown
LISTED = 64  # rows of a figure's table

Index = tuple[int, ...]
Cell = tuple[str, str, str]  # text, fill, tooltip


def as_grid(shape: Sequence[int]) -> tuple[Index, int, int]:
    """Any shape as leading dimensions, rows and columns: () is one cell, (n,) one row."""
    padded: Index = (1,) * (2 - len(shape)) + tuple(shape)
    return padded[:-2], padded[-2], padded[-1]


def shown_cells(shape: Sequence[int]) -> Iterator[Index]:
    """The indices that the grids show, in row-major order."""
    lead, rows, columns = as_grid(shape)
    for facet in _shown_facets(lead):
        for row, column in product(range(min(rows, GRID)), range(min(columns, GRID))):
            yield (*facet, row, column)[2 - min(len(shape), 2) :] if len(shape) < 2 else (*facet, row, column)


def _shown_facets(lead: Index) -> list[Index]:
    facets = product(*(range(min(size, FACETS)) for size in lead))
    return [facet for facet, _ in zip(facets, range(FACETS), strict=False)]


def cut_note(shape: Sequence[int]) -> str:
    """What the grids leave out, or nothing."""
    lead, rows, columns = as_grid(shape)
    parts: list[tuple[int, str]] = [(prod(lead) - FACETS, "grid"), (rows - GRID, "row"), (columns - GRID, "column")]
    cuts = [f"{count:,} more {noun}{'s' * (count > 1)}" for count, noun in parts if count > 0]
    return f"… {', '.join(cuts)} not shown" if cuts and 0 not in shape else ""


def index_text(index: Sequence[int]) -> str:
    return ",".join(map(str, index))


def row_color(index: Index, shape: Sequence[int]) -> str:
    """One colour per row of the tensor, so that a row is recognized in the storage."""
    number = 0
    for place, size in zip(index[:-1], shape[:-1], strict=True):
        number = number * size + place
    return COLORS[number % (len(COLORS) - 1)]


class Sheet:
    """A drawing that grows downwards while grids and strips are placed on it."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.bottom = 8.0
        self._strokes: list[Callable[[Drawing], None]] = []

    def add(self, stroke: Callable[[Drawing], None]) -> None:
        self._strokes.append(stroke)

    def heading(self, text: str) -> None:
        y = self.bottom + 14
        self.add(lambda d: d.text(8, y, text, size=13, bold=True))
        self.bottom += 22

    def remark(self, text: str) -> None:
        y = self.bottom + 14
        self.add(lambda d: d.text(8, y, text, size=12, opacity=0.8))
        self.bottom += 22

    def cell(self, x: float, y: float, cell: Cell, *, width: float = CELL, height: float = CELL, small: str = "") -> None:
        text, fill, tooltip = cell
        empty = fill == NONE

        def stroke(d: Drawing) -> None:
            d.rect(x, y, width - 2, height - 2, fill=fill, opacity=0.3, radius=3, tooltip=tooltip)
            d.rect(x, y, width - 2, height - 2, stroke=INK if empty else fill, opacity=0.35 if empty else 1, radius=3)
            middle = y + (height / 2 + 3 if not small else height - 9)
            d.text(x + width / 2 - 1, middle, text, size=11 if len(text) < 6 else 8, anchor="middle", mono=True)
            if small:
                d.text(x + width / 2 - 1, y + 11, small, size=9, anchor="middle", opacity=0.75)

        self.add(stroke)

    def grids(self, shape: Sequence[int], cell: Callable[[Index], Cell], titles: bool = True) -> None:
        """One grid per leading index, side by side, wrapping; what is cut off is said below."""
        lead, rows, columns = as_grid(shape)
        rows, columns = min(rows, GRID), min(columns, GRID)
        x, height = 8.0, rows * CELL + 26
        for facet in _shown_facets(lead):
            if x > 8 and x + columns * CELL + 20 > self.width:
                x, self.bottom = 8.0, self.bottom + height + 8
            self._grid(x, facet, (rows, columns), cell, len(shape))
            x += columns * CELL + 34
        self.bottom += height + 8
        if cut_note(shape):
            self.remark(cut_note(shape))

    def _grid(self, x: float, facet: Index, size: tuple[int, int], cell: Callable[[Index], Cell], rank: int) -> None:
        top = self.bottom + 18
        title = f"[{', '.join([*map(str, facet), ':', ':'])}]" if facet else ""
        self.add(lambda d: d.text(x, top - 6, title, size=11, mono=True, opacity=0.8))
        for row, column in product(range(size[0]), range(size[1])):
            index = (*facet, row, column) if rank > 1 else (column,)[:rank]
            self.cell(x + column * CELL, top + row * CELL, cell(index))

    def figure(self, title: str, description: str, table: Table, text: str) -> Figure:
        drawing = Drawing(self.width, self.bottom + 6, title, description)
        for stroke in self._strokes:
            stroke(drawing)
        return Figure(title, drawing.svg(), table, description, text)


def grid_text(shape: Sequence[int], cell: Callable[[Index], str]) -> list[str]:
    """The grids as lines of at most 80 columns."""
    if not prod(shape):
        return ["  (no element)"]
    indices = list(shown_cells(shape))
    width = min(max(len(cell(index)) for index in indices) + 1, 11)
    lines: list[str] = []
    for index in indices:
        if not index or index[-1] == 0:
            label = ",".join([*map(str, index[:-1]), ":"]) if index else ""
            lines.append(f"  [{label}]".ljust(14)[:14])
        if not index or index[-1] * width + 14 < 78 - width:
            lines[-1] += cell(index).rjust(width)
        elif not lines[-1].endswith("…"):
            lines[-1] += "…"
    note = cut_note(shape)
    return lines + ([f"  {note}"] if note else [])
