"""What is kept of a layer's output until a window of steps is read: a few rows and positions of it, copied.

One copy per call is all that is done while the script runs; the reductions wait until the window is full. The copies go
into memory that stays: small tensors that outlive a step would come to lie where the script's gradients lay, and every
backward pass would then write to memory that is cold.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

WINDOW = 8  # sampled steps
MOST_VALUES = 1 << 13  # of one output; a quarter of it where there are many layers
ALL_VALUES = 1 << 19  # of one step
LEAST_ROWS = 16  # of each unit, within `MOST_VALUES` twice
LEAST_BATCH = 4  # rows, before neighbouring positions are given up


class Plan(NamedTuple):
    """Evenly spaced rows and positions of an output: a view of it, whose beginning moves from step to step."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    shifts: tuple[tuple[int, int], ...]  # of each sampled dimension: how many beginnings there are, and its stride
    values: int  # of each unit

    def of(self, output: Tensor, step: int) -> Tensor:
        start = output.storage_offset()
        for beginnings, stride in self.shifts:
            start += step % beginnings * stride
        return output.as_strided(self.size, self.stride, start)


def plan(shape: tuple[int, ...], stride: tuple[int, ...], dim: int, most: int) -> Plan:
    """Of each unit (dimension `dim`) at most `most` values; neighbours in memory rather than rows far apart."""
    counts, last = list(shape), len(shape) - 1
    inner = [d for d in range(1, last) if d != dim]
    ends = [last] if last != dim else []
    for dims, rows in (([0, *inner], LEAST_BATCH), ([*inner, *ends], 1), ([0], 1)):
        while math.prod(counts) > most * counts[dim]:
            halved = max(dims, key=lambda d: counts[d] if counts[d] > (rows if d == 0 else 1) else 0, default=None)
            if halved is None or counts[halved] <= (rows if halved == 0 else 1):
                break
            counts[halved] = -(-counts[halved] // 2)
    gaps = [length // count for length, count in zip(shape, counts, strict=True)]
    shifts = tuple((gap, s) for gap, s in zip(gaps, stride, strict=True) if gap > 1)
    strides = tuple(gap * s for gap, s in zip(gaps, stride, strict=True))
    return Plan(tuple(counts), strides, shifts, math.prod(counts) // counts[dim])


class Samples:
    """Copies of the outputs of one window: [steps, values, units], or [units, steps, values] where units come first."""

    def __init__(self, units: int, capacity: int, channels_first: bool, device: torch.device) -> None:
        self.units, self.capacity, self.first, self.device = units, capacity, channels_first, device
        shape = (units, WINDOW, capacity) if channels_first else (WINDOW, capacity, units)
        self.kept = torch.empty(shape, device=device, dtype=torch.float32)
        self.counts: list[int] = []  # values of each unit, per step

    def fits(self, units: int, values: int, device: torch.device) -> bool:
        return self.units == units and values <= self.capacity and self.device == device

    def places(self, shape: tuple[int, ...]) -> list[Tensor]:
        """Where a view [rows, ..., units] or [rows, units, ...] of that shape goes, in each step of a window."""
        if not self.first:
            return [row[: math.prod(shape[:-1])].view(shape) for row in self.kept.unbind()]
        rows, _, *positions = shape
        steps = self.kept[:, :, : rows * math.prod(positions)].unbind(1)
        return [step.unflatten(1, (rows, *positions)).transpose(0, 1) for step in steps]

    def reductions(self, bound: float | None) -> Tensor:
        """One vector: the highest value of each unit in each step, the lowest, then of all values together the sum of
        squares, the sum, and the share beyond `bound`."""
        dim = 2 if self.first else 1
        steps = [(0, len(self.counts), self.counts[0])]
        if len(set(self.counts)) > 1:
            steps = [(step, step + 1, number) for step, number in enumerate(self.counts)]
        parts = [self.kept.narrow(dim - 1, b, e - b).narrow(dim, 0, number) for b, e, number in steps]
        flat = parts[0].reshape(-1) if len(parts) == 1 else torch.cat([part.reshape(-1) for part in parts])
        highs, lows = [part.amax(dim) for part in parts], [part.amin(dim) for part in parts]
        if self.first:
            highs, lows = [high.T for high in highs], [low.T for low in lows]
        beyond = flat.new_zeros(()) if bound is None else (flat.abs() > bound).float().mean()
        totals = torch.stack([torch.dot(flat, flat), flat.sum(), beyond])
        return torch.cat([*(values.reshape(-1) for values in (*highs, *lows)), totals])
