"""Pictures of memory: storage and view, where the cells of a broadcast come from, reshape against permute.

Large tensors are cut off, and every cut is marked. Each figure also exists as text of 80 columns and as a table.
"""

from collections.abc import Callable, Sequence
from math import ceil, prod
from typing import Protocol

from torchclinic.report.drawing import COLORS, NONE, Drawing
from torchclinic.report.model import Table
from torchclinic.report.results import Figure
from torchclinic.tensors.layout import Layout
from torchclinic.tensors.mapping import Mapping, unravel
from torchclinic.tensors.sheet import (
    CELL,
    FACETS,
    GRID,
    LISTED,
    PER_ROW,
    STRIP,
    Cell,
    Index,
    Sheet,
    grid_text,
    index_text,
    row_color,
    shown_cells,
)


class Shaped(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...


class Broadcast(Protocol):
    """What is drawn of a broadcast."""

    @property
    def shape(self) -> tuple[int, ...] | None: ...
    @property
    def operands(self) -> Sequence[Shaped]: ...
    @property
    def stretched(self) -> Sequence[Sequence[int]]: ...
    def source(self, index: Index) -> Sequence[Index]: ...


def layout_figure(layout: Layout, storage_numel: int | None = None) -> Figure:
    """The storage as a strip of cells and the tensor as a grid over it, with the strides as arrows."""
    places: dict[int, list[Index]] = {}
    if layout.numel:
        for index in shown_cells(layout.shape):
            places.setdefault(layout.address(index), []).append(index)
    size = max(storage_numel or 0, layout.offset + layout.span)
    sheet = Sheet(PER_ROW * CELL + 190)
    start = layout.offset if layout.offset >= STRIP else 0
    sheet.heading(f"Storage: {size:,} elements of {layout.itemsize} B, each cell one address")
    _draw_strip(sheet, layout, places, range(start, min(size, start + STRIP)), size)
    sheet.heading(f"Tensor {layout.shape}: each cell shows the address of its element")

    def cell(index: Index) -> Cell:
        address = layout.address(index)
        return str(address), row_color(index, layout.shape), f"element ({index_text(index)}) at address {address}"

    if layout.numel:
        sheet.grids(layout.shape, cell)
    else:
        sheet.remark("no element")
    indices = list(places.items())
    rows = [(str(i), address, address * layout.itemsize) for address, group in indices for i in group]
    shown = sorted(rows, key=lambda row: (row[1], row[0]))[:LISTED]
    caption = f"{len(shown)} of {layout.numel:,} elements, in the order of the storage"
    table = Table(("element", "address", "byte"), tuple(shown), caption)
    description = f"Shape {layout.shape}, strides {layout.stride}, offset {layout.offset}: {caption}."
    return sheet.figure("Storage and view", description, table, _layout_text(layout, places, size))


def _draw_strip(sheet: Sheet, layout: Layout, places: dict[int, list[Index]], shown: range, size: int) -> None:
    for number, address in enumerate(shown):
        line, column = divmod(number, PER_ROW)
        y = sheet.bottom + line * (CELL + 4) + (_arrow_room(layout) if line else 0)
        here = places.get(address, [])
        label = _strip_label(layout, places, address)
        fill = row_color(here[0], layout.shape) if here else COLORS[7] if label else NONE
        elements = " ".join(f"({index_text(index)})" for index in here[:8])
        elements = elements or ("an element not shown" if label else "no element")
        sheet.cell(8 + column * CELL, y, (label, fill, f"address {address}: {elements}"), small=str(address))
    if layout.numel:
        _draw_arrows(sheet, layout, shown)
    lines = max(1, ceil(len(shown) / PER_ROW))
    sheet.bottom += lines * (CELL + 4) + _arrow_room(layout) + 4
    left_out = [f"{count:,} {side}" for count, side in ((shown.start, "before"), (size - shown.stop, "after")) if count > 0]
    if left_out:
        sheet.remark(f"… addresses not shown: {' and '.join(left_out)}")


def _strip_label(layout: Layout, places: dict[int, list[Index]], address: int) -> str:
    """First element at an address, `+` for further ones, `…` for one that the grid leaves out, or nothing."""
    if address in places:
        return index_text(places[address][0]) + "+" * (len(places[address]) > 1)
    return "…" if layout.covers(address) else ""


def _moving_dims(layout: Layout) -> list[int]:
    return [dim for dim, size in enumerate(layout.shape) if size > 1][-4:] if layout.numel else []


def _arrow_room(layout: Layout) -> float:
    return 17.0 * len(_moving_dims(layout)) + 4


def _draw_arrows(sheet: Sheet, layout: Layout, shown: range) -> None:
    """Under the first row of the strip: one step along each dimension, from the first element."""
    first = 8 + (layout.offset - shown.start) * CELL + CELL / 2 - 1
    right = 8 + min(PER_ROW, len(shown)) * CELL
    if first > right:
        return
    for line, dim in enumerate(reversed(_moving_dims(layout))):
        stride = layout.stride[dim]
        color, y = COLORS[dim % (len(COLORS) - 1)], sheet.bottom + CELL + 9 + 17 * line
        end = min(first + stride * CELL, right - 4)
        label = f"dim {dim}: +{stride}" + ("" if first + stride * CELL <= right else " (further on)") * (stride > 0)
        label += " (stays: same element)" if stride == 0 else ""

        def stroke(d: Drawing, y: float = y, end: float = end, color: str = color, text: str = label) -> None:
            d.circle(first, y, 2.5, fill=color)
            if end > first:
                d.line(first, y, end, y, stroke=color, width=1.6, arrow=True)
            d.text(end + 8, y + 4, text, size=11)

        sheet.add(stroke)


def _layout_text(layout: Layout, places: dict[int, list[Index]], size: int) -> str:
    lines = [f"storage: {size:,} elements of {layout.itemsize} B; element at each address (· = none)"]
    start = layout.offset if layout.offset >= STRIP else 0
    labels = [_strip_label(layout, places, address) or "·" for address in range(start, min(size, start + STRIP))]
    width = min(max((len(label) for label in labels), default=1) + 1, 24)
    per_line = max(1, 70 // width)
    for first in range(0, len(labels), per_line):
        cells = "".join(label.rjust(width) for label in labels[first : first + per_line])
        lines.append(f"{start + first:>8,}:{cells}")
    if size > start + STRIP:
        lines.append(f"          … {size - start - STRIP:,} more addresses")
    steps = ", ".join(f"dim {dim} +{layout.stride[dim]}" for dim in range(len(layout.shape)))
    lines.append(f"view {layout.shape}: address of each element; one step: {steps or 'none, a single element'}"[:80])
    return "\n".join(lines + grid_text(layout.shape, lambda index: str(layout.address(index))))


def mapping_figure(mapping: Mapping) -> Figure:
    """reshape and permute side by side: which element of x each puts at each place."""
    shape = mapping.shape
    width = max(min(shape[-1], GRID) * CELL * min(prod(shape[:-2]), FACETS) + 180, 360)
    sheet = Sheet(min(width, PER_ROW * CELL + 16))

    def reshaped(index: Index) -> Index:
        number = 0
        for place, size in zip(index, shape, strict=True):
            number = number * size + place
        return unravel(number, mapping.layout.shape)

    def permuted(index: Index) -> Index:
        source = [0] * len(index)
        for position, dim in enumerate(mapping.dims):
            source[dim] = index[position]
        return tuple(source)

    def cell_of(take: Callable[[Index], Index]) -> Callable[[Index], Cell]:
        def cell(index: Index) -> Cell:
            same = reshaped(index) == permuted(index)
            color = row_color(take(index), mapping.layout.shape)
            note = "same in both" if same else f"reshape takes {reshaped(index)}, permute {permuted(index)}"
            return index_text(take(index)), color, note

        return cell

    sheet.heading(f"x.reshape{shape} takes the elements in row order:")
    sheet.grids(shape, cell_of(reshaped))
    sheet.heading(f"x.permute{mapping.dims} keeps rows and columns together:")
    sheet.grids(shape, cell_of(permuted))
    rows = tuple(tuple(map(str, row)) for row in mapping.rows)
    table = Table(("place", "reshape takes x", "permute takes x"), rows, "The same shape, other elements.")
    text = [f"x.reshape{shape}: element of x at each place"]
    text += grid_text(shape, lambda index: index_text(reshaped(index)))
    text += [f"x.permute{mapping.dims}: element of x at each place"]
    text += grid_text(shape, lambda index: index_text(permuted(index)))
    return sheet.figure("Reshape is not permute", table.caption, table, "\n".join(text))


def broadcast_figure(explained: Broadcast) -> Figure:
    """Each operand stretched to the result's shape, one colour per axis; a dashed cell is a repeated one."""
    assert explained.shape is not None
    shape = explained.shape
    sheet = Sheet(PER_ROW * CELL + 16)
    for number, operand in enumerate(explained.operands):
        stretched = explained.stretched[number]
        sheet.heading(f"operand {number} {operand.shape}: element read for each cell of the result")
        sheet.remark(_stretch_note(stretched) + ": a cell without colour reads an element again" * bool(stretched))

        def cell(index: Index, number: int = number, stretched: Sequence[int] = stretched) -> Cell:
            source = explained.source(index)[number]
            repeated = any(index[dim] for dim in stretched)
            moving = [dim for dim in range(len(shape)) if dim not in stretched and shape[dim] > 1]
            fill = NONE if repeated else COLORS[moving[0] % 7] if moving else COLORS[7]
            return index_text(source) or "()", fill, f"result {index} reads operand {number} at {source}"

        sheet.grids(shape, cell) if prod(shape) else sheet.remark("no element")
    indices = list(shown_cells(shape))[:LISTED] if prod(shape) else []
    columns = ("result", *(f"operand {number}" for number in range(len(explained.operands))))
    rows = tuple((str(index), *map(str, explained.source(index))) for index in indices)
    table = Table(columns, rows, f"Where {len(rows)} of {prod(shape):,} cells come from")
    lines: list[str] = []
    for number, operand in enumerate(explained.operands):
        lines.append(f"operand {number} {operand.shape}: {_stretch_note(explained.stretched[number])}"[:80])
        lines += grid_text(shape, lambda index, number=number: index_text(explained.source(index)[number]) or "()")  # type: ignore[misc]
    return sheet.figure("Where each cell comes from", f"{table.caption}.", table, "\n".join(lines))


def _stretch_note(stretched: Sequence[int]) -> str:
    if not stretched:
        return "not stretched: every cell reads an element of its own"
    noun = "dimension" if len(stretched) == 1 else "dimensions"
    return f"stretched along {noun} {index_text(stretched)}"
