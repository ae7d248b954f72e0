"""One layer while it is measured: what waits to be read of it, and the window that comes of it."""

import math
import weakref
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm

from torchclinic.observe.records.layers import LayerSeries, Window
from torchclinic.observe.statistics.samples import LEAST_ROWS, MOST_VALUES, WINDOW, Plan, Samples, plan

_CHANNELS_FIRST = (_ConvNd, _BatchNorm, _InstanceNorm, nn.GroupNorm)
_TABLES = (nn.Embedding, nn.EmbeddingBag)  # few rows have a gradient: a sample of rows would miss them


MOST_LANES = 64


class Lane(NamedTuple):
    """Of outputs of one shape and strides: what is copied, and where to in each step of the window."""

    plan: Plan
    samples: Samples
    places: list[Tensor]


class LayerTrack:
    """A layer, and the samples of its output that have not been read yet."""

    def __init__(self, module: nn.Module, weight: Tensor | None, series: LayerSeries) -> None:
        self.ref = weakref.ref(module)
        self.weight = None if weight is None else weakref.ref(weight)
        self.series = series
        self.dim = 1 if isinstance(module, _CHANNELS_FIRST) else -1
        self.table = isinstance(module, _TABLES)
        self.step = -1
        self._samples: Samples | None = None
        self._lanes: dict[tuple[tuple[int, ...], tuple[int, ...]], Lane] = {}
        self.clear()

    def clear(self) -> None:
        self.sizes: list[tuple[float, float, float]] = []  # norms: gradient, change, sampled weight
        self.twin: LayerTrack | None = None  # whose output is this one's as well
        if self._samples is not None:
            self._samples.counts.clear()
        self._piece: Tensor | None = None
        self._piece_at = 0

    def samples(self) -> Samples | None:
        """What was kept of the output in this window, if anything."""
        kept = self._samples if self.twin is None else self.twin._samples
        return kept if kept is not None and kept.counts else None

    def keep(self, values: Tensor, share: int) -> None:
        """Copy an output [N, ...], or a sample of about `share` values; gradients are not recorded here."""
        if values.dim() == 1:
            values = values[:, None]
        key = values.shape, values.stride()
        lane = self._lanes.get(key)
        if lane is None or lane.samples is not self._samples or values.device != lane.samples.device:
            lane = self._lane(key, values.device, share)
        counts = lane.samples.counts
        if len(counts) < WINDOW:
            lane.places[len(counts)].copy_(lane.plan.of(values, self.step))
            counts.append(lane.plan.values)
        self.twin = None

    def _lane(self, key: tuple[tuple[int, ...], tuple[int, ...]], device: torch.device, share: int) -> Lane:
        """A layer whose units change keeps its outputs anew from here on."""
        dim = self.dim % len(key[0])
        units = key[0][dim]
        most = max(share // units, min(LEAST_ROWS, 2 * MOST_VALUES // units), 1)
        found = plan(*key, dim, most)
        if self._samples is None or not self._samples.fits(units, found.values, device):
            self._samples = Samples(units, most, self.dim == 1, device)
            self._lanes.clear()
        if len(self._lanes) >= MOST_LANES:
            self._lanes.clear()
        lane = self._lanes[key] = Lane(found, self._samples, self._samples.places(found.size))
        return lane

    def joins(self, other: "LayerTrack") -> bool:
        """Whether what `other` has just kept of the same tensor stands for this layer too: then nothing is copied."""
        own = self._samples is not None and bool(self._samples.counts)
        if own or self.dim != other.dim or self.series.followed_by or other._samples is None:
            return False
        self.twin = other
        return True

    def live_weight(self) -> Tensor | None:
        return self.weight() if self.weight is not None else None

    def piece(self, weight: Tensor, length: int) -> Tensor:
        """A view of up to `length` neighbouring elements of the weight; the place moves from window to window."""
        if self._piece is not None and self._piece_at == weight.data_ptr():
            return self._piece
        number = weight.numel()
        start = self.step * 7919 % max(1, number - length)
        if not (weight.is_contiguous() or weight.is_contiguous(memory_format=torch.channels_last)):
            return weight.detach().flatten()[start : start + length]
        offset = weight.storage_offset() + start
        self._piece = weight.detach().as_strided((min(number, length),), (1,), offset)
        self._piece_at = weight.data_ptr()
        return self._piece

    def window(self, reduced: Any, weight: float, rate: float) -> Window:
        """The steps since the last `clear` as one window, from the array of its samples' reductions."""
        samples = self.samples()
        assert samples is not None
        units, values = samples.units, sum(samples.counts)
        self.series.units = units
        highs, lows = reduced[:-3].reshape(2, -1, units)
        square, mean, beyond = reduced[-3:].tolist()
        square, mean = square / (values * units), mean / (values * units)
        gradients = [gradient for gradient, _, _ in self.sizes]
        ratios = [change / size for _, change, size in self.sizes if size > 0]
        return Window(
            self.step,
            values,
            mean,
            math.sqrt(max(0.0, square - mean * mean)) if math.isfinite(square) else math.nan,
            float(lows.min()),
            float(highs.max()),
            int((highs.max(0) <= 0).sum()),
            beyond,
            float((highs - lows).max()) if max(samples.counts) > 1 else math.nan,
            median(gradients) if gradients else math.nan,
            max(filter(math.isfinite, gradients), default=math.nan),
            median(ratios) if ratios else math.nan,
            max(filter(math.isfinite, ratios), default=math.nan),
            weight,
            rate,
        )
