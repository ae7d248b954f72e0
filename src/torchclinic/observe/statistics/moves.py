"""What is kept of the steps of one optimizer until a window of them is read: samples of gradients and weights, copied."""

import math

import torch
from torch import Tensor

from torchclinic.observe.statistics.layer_track import LayerTrack
from torchclinic.observe.statistics.samples import WINDOW

PIECE = 512  # neighbouring elements of a weight whose change is followed
RUNS = 64  # places of a large tensor at which neighbours are read
RUN = 64  # neighbours at each; a quarter where there are many layers
FEW_LAYERS = 64


def runs_of(values: Tensor, run: int, step: int) -> tuple[Tensor, float]:
    """Runs of neighbours, evenly spaced, others at every step; the factor turns their norm into an estimate of the whole's."""
    number = values.numel()
    if not (values.is_contiguous() or (values.dim() == 4 and values.is_contiguous(memory_format=torch.channels_last))):
        values = values.contiguous()
    if number <= RUNS * run:
        return values.as_strided((number,), (1,), values.storage_offset()), 1.0
    gap = number // RUNS
    start = values.storage_offset() + step * 7919 % (gap - run + 1)
    return values.as_strided((RUNS, run), (gap, 1), start), math.sqrt(number / (RUNS * run))


class Moves:
    """Memory [steps, layers, elements] for the steps of one optimizer; what a weight does not fill stays zero."""

    def __init__(self, tracks: list[LayerTrack], weights: list[Tensor]) -> None:
        self.tracks = tracks
        self.lengths = [weight.numel() for weight in weights]
        self.run = RUN if len(tracks) <= FEW_LAYERS else RUN // 4
        shape = WINDOW, len(tracks), 2 * PIECE + RUNS * self.run
        self.kept = torch.zeros(shape, device=weights[0].device, dtype=torch.float32)
        self._parts = self.kept.split([PIECE, PIECE, RUNS * self.run], 2)  # before, after, gradients
        self._places = [self._views(step) for step in range(WINDOW)]
        self.factors: list[dict[int, float]] = []  # of the gradients' norms, per step, by layer; others took no part
        self.whole = True  # the latest step has ended

    def _views(self, step: int) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Where the pieces of the weights go, before and after a step, and the samples of the gradients."""
        before, after, gradients = (part[step].unbind() for part in self._parts)
        pieces = [min(length, PIECE) for length in self.lengths]
        return (
            [row[:length] for row, length in zip(before, pieces, strict=True)],
            [row[:length] for row, length in zip(after, pieces, strict=True)],
            [
                row[:1] if self._read_whole(layer) else row[:length] if length <= len(row) else row.view(RUNS, self.run)
                for layer, (row, length) in enumerate(zip(gradients, self.lengths, strict=True))
            ],
        )

    def _read_whole(self, layer: int) -> bool:
        """Few rows of a table have a gradient: runs would miss them."""
        return self.tracks[layer].table and self.lengths[layer] > RUNS * self.run

    def full(self) -> bool:
        return self.whole and len(self.factors) == WINDOW

    def begin(self, live: list[tuple[int, Tensor, Tensor]], step: int) -> None:
        """Before the step: the layers that take part, with their weights and gradients."""
        if not self.whole:
            self.factors.pop()  # that step never ended
        before, _, gradients = self._places[len(self.factors)]
        factors: dict[int, float] = {}
        places, sources = [], []
        for layer, weight, gradient in live:
            if weight.numel() != self.lengths[layer]:
                continue
            if self._read_whole(layer):
                sample, factors[layer] = torch.linalg.vector_norm(gradient, dtype=torch.float32).view(1), 1.0
            else:
                sample, factors[layer] = runs_of(gradient, self.run, step)
            places += [before[layer], gradients[layer]]
            sources += [self.tracks[layer].piece(weight, PIECE), sample]
        if places:
            torch._foreach_copy_(places, sources)
        self.factors.append(factors)
        self.whole = False

    def end(self) -> None:
        """After the step."""
        _, after, _ = self._places[len(self.factors) - 1]
        factors = self.factors[-1]
        live = [(layer, w) for layer in factors if (w := self.tracks[layer].live_weight()) is not None]
        if live:
            pieces = [self.tracks[layer].piece(weight, PIECE) for layer, weight in live]
            torch._foreach_copy_([after[layer] for layer, _ in live], pieces)
        self.factors[-1] = {layer: factors[layer] for layer, _ in live} if len(live) < len(factors) else factors
        self.whole = True

    def norms(self) -> Tensor:
        """Of each step [steps, 3, layers]: norms of the sampled gradients, of the changes, of the weights that changed."""
        number = len(self.factors) - (not self.whole)
        before, after, gradients = (part[:number] for part in self._parts)
        return torch.stack([torch.linalg.vector_norm(part, dim=2) for part in (gradients, after - before, after)], 1)

    def clear(self) -> None:
        self.factors.clear()
        self.whole = True
