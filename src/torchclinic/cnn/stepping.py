"""Pictures of one output cell: which window, which products, which sum. A list of them is stepped through in a page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from torchclinic.cnn.conv import conv2d, windows
from torchclinic.cnn.geometry import Axis, Padding, conv_axes, pool_axes
from torchclinic.cnn.pool import avg_pool2d, max_pool2d
from torchclinic.errors import InputError
from torchclinic.report.drawing import COLORS, INK, Drawing
from torchclinic.report.model import Table, Value
from torchclinic.report.results import Figure
from torchclinic.units import format_number

Cell = tuple[int, int, int]  # output channel, row, column
Pair = int | Sequence[int]
SIDE, GAP, TOP = 30, 34, 40  # pixels: a cell, the space between grids, the space above them
MOST_CELLS = 400  # of input drawn; larger inputs are refused, their numbers would not be legible


def convolution_steps(
    input: Tensor,  # [C, H, W]
    weight: Tensor,  # [O, C / groups, kernel rows, kernel columns]
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    *,
    cells: Iterable[Cell] | None = None,
) -> tuple[Figure, ...]:
    """One figure per output cell (all of them unless `cells` are given): window, kernel, products, sum, output.

    Raises: InputError if the input is too large to be legible, or a cell is not in the output.
    """
    out = conv2d(input[None], weight, bias, stride, padding, dilation, groups)[0]
    axes = conv_axes((weight.shape[2], weight.shape[3]), stride, padding, dilation)
    view, padded = windows(input[None], axes)[0], _padded(input, axes)
    channels, filters = weight.shape[1], len(weight) // groups
    figures = []
    for o, y, x in _chosen(out, padded, cells):
        first = o // filters * channels
        seen = [first + c for c in range(channels)]
        products = [view[c, y, x] * weight[o, i] for i, c in enumerate(seen)]
        offset = 0.0 if bias is None else float(bias[o])
        scene = _Scene(padded, out, axes, (o, y, x), seen)
        grids = [(f"kernel {o}", [weight[o, i] for i in range(channels)], COLORS[1]), ("products", products, COLORS[2])]
        sums = " + ".join(_signed(float(part.sum())) for part in products)
        ending = f"{sums}{'' if bias is None else f' + bias {_signed(offset)}'} = {format_number(float(out[o, y, x]))}"
        rows: list[tuple[Value, ...]] = [
            (c, i, j, float(view[c, y, x, i, j]), float(weight[o, n, i, j]), float(products[n][i, j]))
            for n, c in enumerate(seen)
            for i, j in product(range(weight.shape[2]), range(weight.shape[3]))
        ]
        if bias is not None:
            rows.append(("bias", None, None, None, None, offset))
        rows.append(("sum", None, None, None, None, float(out[o, y, x])))
        columns = ("channel", "kernel row", "kernel column", "input", "weight", "product")
        title = f"Convolution, output channel {o}, row {y}, column {x}: {format_number(float(out[o, y, x]))}"
        figures.append(scene.draw(title, grids, ending, Table(columns, tuple(rows))))
    return tuple(figures)


def pooling_steps(
    input: Tensor,  # [C, H, W]
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    *,
    average: bool = False,
    cells: Iterable[Cell] | None = None,
) -> tuple[Figure, ...]:
    """One figure per output cell of a max pooling (or an average pooling): window, the winner (or the mean), output."""
    axes = pool_axes(kernel_size, stride, padding, 1, "pooling_steps")
    fill = 0.0 if average else float("-inf")
    out = avg_pool2d(input, kernel_size, stride, padding) if average else max_pool2d(input, kernel_size, stride, padding)
    view, padded = windows(input[None], axes, fill)[0], _padded(input, axes, fill)
    figures = []
    for c, y, x in _chosen(out, padded, cells):
        window, answer = view[c, y, x], format_number(float(out[c, y, x]))
        values = ", ".join(_signed(float(value)) for value in window.flatten())
        ending = f"mean of {values} = {answer}" if average else f"largest of {values} = {answer}"
        scene = _Scene(padded, out, axes, (c, y, x), [c])
        rows = tuple((i, j, float(window[i, j])) for i, j in product(range(axes[0].kernel), range(axes[1].kernel)))
        result = ("mean" if average else "maximum", None, float(out[c, y, x]))
        title = f"{'Average' if average else 'Max'} pooling, channel {c}, row {y}, column {x}: {answer}"
        table = Table(("kernel row", "kernel column", "input"), (*rows, result))
        figures.append(scene.draw(title, [("window", [window], COLORS[2])], ending, table))
    return tuple(figures)


@dataclass(frozen=True)
class _Scene:
    """The input channels one below the other, further grids beside those that take part, and the output channel."""

    padded: Tensor
    out: Tensor
    axes: tuple[Axis, Axis]
    cell: Cell
    seen: list[int]  # channels that take part

    def draw(self, title: str, grids: list[tuple[str, list[Tensor], str]], ending: str, table: Table) -> Figure:
        C, H, W = self.padded.shape
        o, y, x = self.cell
        left = 12 + W * SIDE + GAP
        width = left + sum(parts[0].shape[1] * SIDE + GAP for _, parts, _ in grids) + max(self.out.shape[2] * SIDE, 110) + 12
        band = H * SIDE + 24
        drawing = Drawing(max(width, 7 * len(ending) + 24), TOP + band * C + 34, title, ending)
        for c in range(C):
            at = TOP + band * c
            taken = self._window() if c in self.seen else set()
            drawing.text(12, at - 6, f"input channel {c}", opacity=1 if taken else 0.5)
            self._grid(drawing, 12, at, self.padded[c], taken, COLORS[0], inside=self._inside())
        for name, parts, color in grids:
            for c, part in zip(self.seen, parts, strict=True):
                every = set(product(range(part.shape[0]), range(part.shape[1])))
                drawing.text(left, TOP + band * c - 6, name)
                self._grid(drawing, left, TOP + band * c, part, every, color)
            left += parts[0].shape[1] * SIDE + GAP
        drawing.text(left, TOP - 6, f"output channel {o}")
        self._grid(drawing, left, TOP, self.out[o], {(y, x)}, COLORS[3])
        drawing.text(12, TOP + band * C + 14, ending, mono=True)
        return Figure(title, drawing.svg(), table, ending)

    def _window(self) -> set[tuple[int, int]]:
        (rows, columns), (_, y, x) = self.axes, self.cell
        return {
            (y * rows.stride + i * rows.dilation, x * columns.stride + j * columns.dilation)
            for i, j in product(range(rows.kernel), range(columns.kernel))
        }

    def _inside(self) -> tuple[range, range]:
        (rows, columns), (_, H, W) = self.axes, self.padded.shape
        return range(rows.before, H - rows.after), range(columns.before, W - columns.after)

    @staticmethod
    def _grid(
        drawing: Drawing,
        left: float,
        top: float,
        values: Tensor,
        taken: set[tuple[int, int]],
        color: str,
        inside: tuple[range, range] | None = None,
    ) -> None:
        for r, c in taken:
            drawing.rect(left + c * SIDE, top + r * SIDE, SIDE, SIDE, fill=color, opacity=0.35)
        H, W = values.shape
        _lattice(drawing, left, top, range(H), range(W), dash="2 2" if inside else "")
        if inside:
            _lattice(drawing, left, top, *inside)
        for r, c in product(range(H), range(W)):
            padding = inside is not None and (r not in inside[0] or c not in inside[1])
            faint = 0.5 if padding and (r, c) not in taken else 1
            text = _signed(float(values[r, c]))
            x, y = left + (c + 0.5) * SIDE, top + r * SIDE + 19
            drawing.text(x, y, text, size=11, anchor="middle", opacity=faint)


def _lattice(drawing: Drawing, left: float, top: float, rows: range, columns: range, dash: str = "") -> None:
    """The lines around the cells of these rows and columns, as one path."""
    height, width = len(rows) * SIDE, len(columns) * SIDE
    x, y = left + columns.start * SIDE, top + rows.start * SIDE
    across = "".join(f"M{x:g} {y + r * SIDE:g}h{width}" for r in range(len(rows) + 1))
    down = "".join(f"M{x + c * SIDE:g} {y:g}v{height}" for c in range(len(columns) + 1))
    drawing.path(across + down, stroke=INK, opacity=0.35, dash=dash)


def _padded(input: Tensor, axes: tuple[Axis, Axis], value: float = 0.0) -> Tensor:
    (C, H, W), (rows, columns) = input.shape, axes
    padded = input.new_full((C, H + rows.before + rows.after, W + columns.before + columns.after), value)
    padded[:, rows.before : rows.before + H, columns.before : columns.before + W] = input
    return padded


def _chosen(out: Tensor, padded: Tensor, cells: Iterable[Cell] | None) -> list[Cell]:
    if padded.numel() > MOST_CELLS:
        raise InputError(f"{padded.numel()} input cells with padding are too many to read: cut the input to at most {MOST_CELLS}.")
    every = list(product(*(range(size) for size in out.shape)))
    chosen = every if cells is None else list(cells)
    for cell in chosen:
        if cell not in every:
            raise InputError(f"There is no output cell {cell}; the output has shape {tuple(out.shape)}.")
    return chosen  # type: ignore[return-value]


def _signed(value: float) -> str:
    return format_number(round(value, 2) + 0.0).replace("-inf", "−∞").replace("-", "−")
