"""What is kept of the steps of one optimizer until a window of them is read: samples of gradients and weights, copied."""

import math

import torch
from torch import Tensor

from torchclinic.observe.layer_track import LayerTrack
from torchclinic.observe.samples import WINDOW

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
    """Memory [steps, layers, elements] for the steps of one optimizer on the same layers; what is not filled is zero."""

    def __init__(self, tracks: list[LayerTrack], weights: list[Tensor]) -> None:
        self.tracks = tracks
        self.lengths = [weight.numel() for weight in weights]
        self.run = RUN if len(tracks) <= FEW_LAYERS else RUN // 4
        shape = WINDOW, len(tracks), 2 * PIECE + RUNS * self.run
        self.kept = torch.zeros(shape, device=weights[0].device, dtype=torch.float32)
        self._before, self._after, self._gradients = self.kept.split([PIECE, PIECE, RUNS * self.run], 2)
        self._places: list[tuple[list[Tensor], list[Tensor]]] = []
        self.factors: list[list[float]] = []  # of the gradients' norms, per step
        self.whole = True  # the latest step has ended

    def fits(self, tracks: list[LayerTrack], weights: list[Tensor]) -> bool:
        alike = self.tracks == tracks and self.lengths == [weight.numel() for weight in weights]
        room = len(self.factors) < WINDOW or not self.whole
        return alike and room and self.kept.device == weights[0].device

    def begin(self, weights: list[Tensor], gradients: list[Tensor], step: int) -> None:
        """Before the step."""
        if not self.whole:
            self.factors.pop()  # that step never ended
        place = len(self.factors)
        samples = [self._sample(track, gradient, step) for track, gradient in zip(self.tracks, gradients, strict=True)]
        sources = [source for source, _ in samples]
        if place == len(self._places):
            self._places.append(self._views(place, sources))
        pieces = [track.piece(weight, PIECE) for track, weight in zip(self.tracks, weights, strict=True)]
        torch._foreach_copy_(self._places[place][0], pieces + sources)
        self.factors.append([factor for _, factor in samples])
        self.whole = False

    def _sample(self, track: LayerTrack, gradient: Tensor, step: int) -> tuple[Tensor, float]:
        if track.table and gradient.numel() > RUNS * self.run:  # few rows have a gradient: runs would miss them
            return torch.linalg.vector_norm(gradient, dtype=torch.float32).view(1), 1.0
        return runs_of(gradient, self.run, step)

    def _views(self, place: int, sources: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Where the pieces before a step and the samples of the gradients go, and where the pieces after it."""
        lengths = [min(length, PIECE) for length in self.lengths]
        before = [row[:length] for row, length in zip(self._before[place], lengths, strict=True)]
        after = [row[:length] for row, length in zip(self._after[place], lengths, strict=True)]
        rows = zip(self._gradients[place], sources, strict=True)
        return before + [row[: source.numel()].view(source.shape) for row, source in rows], after

    def end(self, weights: list[Tensor]) -> None:
        """After the step."""
        pieces = [track.piece(weight, PIECE) for track, weight in zip(self.tracks, weights, strict=True)]
        torch._foreach_copy_(self._places[len(self.factors) - 1][1], pieces)
        self.whole = True

    def norms(self) -> Tensor:
        """Of each step [steps, 3, layers]: norms of the sampled gradients, of the changes, of the weights that changed."""
        number = len(self.factors) - (not self.whole)
        before, after, gradients = (part[:number] for part in (self._before, self._after, self._gradients))
        return torch.stack([torch.linalg.vector_norm(part, dim=2) for part in (gradients, after - before, after)], 1)
