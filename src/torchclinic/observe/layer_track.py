"""One layer while it is measured: what waits to be read of it, and the window that comes of it."""

import math
import weakref
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm

from torchclinic.observe.series import SATURATING, LayerSeries, Window

MOST_VALUES = 1 << 14  # of one output
MOST_WEIGHTS = 1 << 15  # of a gradient or a weight whose norm is taken; of larger ones, rows are sampled
LEAST_ROWS = 16
WEIGHT_SAMPLE = 1024  # elements of a weight whose change is followed
SMALL_MAP = 64  # positions; below it a reduction over rows and positions at once is slow
_CHANNELS_FIRST = (_ConvNd, _BatchNorm, _InstanceNorm, nn.GroupNorm)
_TABLES = (nn.Embedding, nn.EmbeddingBag)  # few rows have a gradient: a sample of rows would miss them


class LayerTrack:
    """A layer, and the reductions of its output that have not been read yet."""

    __slots__ = ("_piece", "_piece_at", "counts", "dim", "highs", "lows", "moments", "ref", "samples", "saturation",
                 "series", "sizes", "step", "table", "weight")  # fmt: skip

    def __init__(self, module: nn.Module, weight: Tensor | None, series: LayerSeries) -> None:
        self.ref = weakref.ref(module)
        self.weight = None if weight is None else weakref.ref(weight)
        self.series = series
        self.dim = 1 if isinstance(module, _CHANNELS_FIRST) else -1
        self.table = isinstance(module, _TABLES)
        self.step = -1
        self.clear()

    def clear(self) -> None:
        self.highs: list[Tensor] = []  # per unit
        self.lows: list[Tensor] = []
        self.moments: list[Tensor] = []  # sum of squares, sum, sum of squares, sum ...
        self.counts: list[int] = []
        self.saturation: list[Tensor] = []
        self.sizes: list[tuple[float, float, float]] = []  # norms: gradient, change, sampled weight
        self.samples = 0
        self._piece: Tensor | None = None
        self._piece_at = 0

    def measure(self, values: Tensor) -> None:
        """Take the reductions of an output [N, ...], rows sampled where it is large."""
        if values.numel() > MOST_VALUES:
            values = values[: max(1, MOST_VALUES * len(values) // values.numel())]
        positions = math.prod(values.shape[2:])
        if values.dtype is not torch.float32:
            values = values.float()
        if self.dim == 1 and 1 < positions < SMALL_MAP:
            self.highs.append(values.amax(0).flatten(1).amax(1))
            self.lows.append(values.amin(0).flatten(1).amin(1))
        else:
            others = [dim for dim in range(values.dim()) if dim != self.dim % values.dim()]
            self.highs.append(values.amax(others))
            self.lows.append(values.amin(others))
        flat = values.reshape(-1)
        self.moments += flat.dot(flat), flat.sum()
        self._count(flat.numel())
        bound = SATURATING.get(self.series.followed_by)
        if bound is not None:
            self.saturation.append((values.abs() > bound).float().mean())

    def share(self, other: "LayerTrack") -> bool:
        """Take what `other` has just measured of the same tensor, if it would be the same."""
        if self.dim != other.dim or self.series.followed_by:
            return False
        self.highs.append(other.highs[-1])
        self.lows.append(other.lows[-1])
        self.moments += other.moments[-2:]
        self._count(other.counts[-1])
        return True

    def _count(self, number: int) -> None:
        self.series.units = self.highs[-1].numel()
        self.counts.append(number)
        self.samples += number // self.series.units

    def live_weight(self) -> Tensor | None:
        return self.weight() if self.weight is not None else None

    def with_gradient(self) -> Tensor | None:
        """The weight, if it is there and has a dense gradient."""
        weight = self.live_weight()
        dense = weight is not None and weight.grad is not None and weight.grad.layout is torch.strided
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

    def waiting(self) -> list[Tensor]:
        """What `window` needs to have read: highs and lows [steps, units], sums and shares [steps * 2 or 3]."""
        units = self.series.units
        highs = torch.stack([high for high in self.highs if high.numel() == units])
        lows = torch.stack([low for low in self.lows if low.numel() == units])
        return [highs, lows, torch.stack(self.moments + self.saturation)]

    def window(self, highs: Any, lows: Any, sums: Any, weight: float, rate: float) -> Window:
        """The steps since the last `clear` as one window, from the arrays that `waiting()` named."""
        scalars = sums.tolist()
        moments, saturation = scalars[: len(self.moments)], scalars[len(self.moments) :]
        count = sum(self.counts)
        mean, square = sum(moments[1::2]) / count, sum(moments[::2]) / count
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
            sum(saturation) / len(saturation) if saturation else 0.0,
            varying if max(self.counts) > self.series.units else math.nan,
            median(gradients) if gradients else math.nan,
            max(filter(math.isfinite, gradients), default=math.nan),
            median(ratios) if ratios else math.nan,
            max(filter(math.isfinite, ratios), default=math.nan),
            weight,
            rate,
        )
