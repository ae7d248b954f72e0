"""One layer while it is measured: what waits to be read of it, and the window that comes of it."""

import math
import weakref
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm

from torchclinic.observe.series import SATURATING, LayerSeries, Window

WINDOW = 8  # sampled steps
MOST_VALUES = 1 << 14  # of one output
MOST_WEIGHTS = 1 << 15  # of a gradient or a weight whose norm is taken; of larger ones, rows are sampled
LEAST_ROWS = 16
WEIGHT_SAMPLE = 1024  # elements of a weight whose change is followed
SMALL_MAP = 64  # positions; below it a reduction over rows and positions at once is slow
_CHANNELS_FIRST = (_ConvNd, _BatchNorm, _InstanceNorm, nn.GroupNorm)
_TABLES = (nn.Embedding, nn.EmbeddingBag)  # few rows have a gradient: a sample of rows would miss them


class Row(NamedTuple):
    """Views of the memory in which the reductions of one step are kept."""

    whole: Tensor
    high: Tensor  # per unit
    low: Tensor
    squares: Tensor  # 0-d, like the next two
    sum: Tensor
    saturated: Tensor


class Rows:
    """The reductions of one window. They are written into memory that stays: small tensors that outlive a step would
    come to lie where the script's gradients lay, and every backward pass would then write to memory that is cold."""

    def __init__(self, units: int, device: torch.device) -> None:
        self.units, self.device = units, device
        self.values = torch.zeros(WINDOW, 2 * units + 3, device=device, dtype=torch.float32)
        self.rows = [
            Row(whole, whole[:units], whole[units : 2 * units], *whole[2 * units :].unbind())
            for whole in self.values.unbind()
        ]


class LayerTrack:
    """A layer, and the reductions of its output that have not been read yet."""

    __slots__ = ("_piece", "_piece_at", "_rows", "counts", "dim", "ref", "samples", "series", "sizes", "step", "table",
                 "weight")  # fmt: skip

    def __init__(self, module: nn.Module, weight: Tensor | None, series: LayerSeries) -> None:
        self.ref = weakref.ref(module)
        self.weight = None if weight is None else weakref.ref(weight)
        self.series = series
        self.dim = 1 if isinstance(module, _CHANNELS_FIRST) else -1
        self.table = isinstance(module, _TABLES)
        self.step = -1
        self._rows: Rows | None = None
        self.clear()

    def clear(self) -> None:
        self.counts: list[int] = []  # values, per step
        self.sizes: list[tuple[float, float, float]] = []  # norms: gradient, change, sampled weight
        self.samples = 0
        self._piece: Tensor | None = None
        self._piece_at = 0

    def measure(self, values: Tensor) -> None:
        """Take the reductions of an output [N, ...], rows sampled where it is large."""
        if values.numel() > MOST_VALUES:
            values = values[: max(1, MOST_VALUES * len(values) // values.numel())]
        if values.dtype is not torch.float32:
            values = values.float()
        dim = self.dim % values.dim()
        row = self._row(values.shape[dim], values.device)
        if self.dim == 1 and 1 < math.prod(values.shape[2:]) < SMALL_MAP:
            torch.amax(values.amax(0).flatten(1), 1, out=row.high)
            torch.amin(values.amin(0).flatten(1), 1, out=row.low)
        else:
            others = [other for other in range(values.dim()) if other != dim]
            torch.amax(values, others, out=row.high)
            torch.amin(values, others, out=row.low)
        flat = values.reshape(-1)
        torch.dot(flat, flat, out=row.squares)
        torch.sum(flat, 0, out=row.sum)
        bound = SATURATING.get(self.series.followed_by)
        if bound is not None:
            torch.mean((flat.abs() > bound).float(), 0, out=row.saturated)
        self._count(flat.numel())

    def share(self, other: "LayerTrack") -> bool:
        """Take what `other` has just measured of the same tensor, if it would be the same."""
        if self.dim != other.dim or self.series.followed_by or other._rows is None:
            return False
        whole = other._rows.rows[len(other.counts) - 1].whole
        self._row(other.series.units, whole.device).whole.copy_(whole)
        self._count(other.counts[-1])
        return True

    def _row(self, units: int, device: torch.device) -> "Row":
        """Where the reductions of this step go. A layer whose units change starts its window anew."""
        if self._rows is None or self._rows.units != units or self._rows.device != device:
            self._rows = Rows(units, device)
            self.counts.clear()
            self.samples = 0
        return self._rows.rows[len(self.counts)]

    def _count(self, number: int) -> None:
        self.series.units = self._rows.units if self._rows is not None else 0
        self.counts.append(number)
        self.samples += number // self.series.units

    def live_weight(self) -> Tensor | None:
        return self.weight() if self.weight is not None else None

    def with_gradient(self) -> Tensor | None:
        """The weight, if it is there and has a dense gradient."""
        weight = self.live_weight()
        dense = (
            weight is not None
            and weight.is_floating_point()
            and weight.grad is not None
            and weight.grad.layout is torch.strided
        )
        return weight if dense else None

    def norm_sample(self, values: Tensor, step: int) -> tuple[Tensor, float]:
        """Rows of a large tensor, others at every step, and the factor that turns their norm into an estimate of its own."""
        stride = 0 if self.table else values.numel() // MOST_WEIGHTS
        if stride < 2 or len(values) < 2 * LEAST_ROWS:
            return values, 1.0
        stride = min(stride, len(values) // LEAST_ROWS)
        rows = values[step % stride :: stride].contiguous()  # a norm over strided rows is not vectorized
        return rows, math.sqrt(len(values) / len(rows))

    def piece(self, weight: Tensor) -> Tensor:
        """A view of up to 1,024 neighbouring elements of the weight; the place moves from window to window."""
        if self._piece is not None and self._piece_at == weight.data_ptr():
            return self._piece
        number = weight.numel()
        start = self.step * 7919 % max(1, number - WEIGHT_SAMPLE)
        if not (weight.is_contiguous() or weight.is_contiguous(memory_format=torch.channels_last)):
            return weight.detach().flatten()[start : start + WEIGHT_SAMPLE]
        offset = weight.storage_offset() + start
        self._piece = weight.detach().as_strided((min(number, WEIGHT_SAMPLE),), (1,), offset)
        self._piece_at = weight.data_ptr()
        return self._piece

    def waiting(self) -> Tensor:
        """What `window` needs to have read: one row for each step."""
        return self._rows.values[: len(self.counts)] if self._rows is not None else torch.empty(0)

    def window(self, rows: Any, weight: float, rate: float) -> Window:
        """The steps since the last `clear` as one window, from the array that `waiting()` named."""
        units, count = self.series.units, sum(self.counts)
        highs, lows = rows[:, :units], rows[:, units : 2 * units]
        squares, sums, saturated = rows[:, 2 * units :].astype(np.float64).T
        with np.errstate(invalid="ignore", over="ignore"):
            mean, square = float(sums.sum()) / count, float(squares.sum()) / count
        gradients = [gradient for gradient, _, _ in self.sizes]
        ratios = [change / size for _, change, size in self.sizes if size > 0]
        with np.errstate(invalid="ignore"):
            varying = float((highs - lows).max())
        return Window(
            self.step,
            self.samples,
            mean,
            math.sqrt(max(0.0, square - mean * mean)) if math.isfinite(square) else math.nan,
            float(lows.min()),
            float(highs.max()),
            int((highs.max(0) <= 0).sum()),
            float(saturated.mean()),
            varying if max(self.counts) > self.series.units else math.nan,
            median(gradients) if gradients else math.nan,
            max(filter(math.isfinite, gradients), default=math.nan),
            median(ratios) if ratios else math.nan,
            max(filter(math.isfinite, ratios), default=math.nan),
            weight,
            rate,
        )
