"""Where `fit` gets its batches: anything with a length and `epoch(number)`; here, one tensor held in memory."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from torchclinic.data import normalize
from torchclinic.errors import InputError

MAX_SHIFT = 2  # pixels


class Batches(Protocol):
    """`len` is the number of steps per epoch. What epoch `number` yields depends on nothing but `number`."""

    def __len__(self) -> int: ...

    def epoch(self, number: int) -> Iterable[tuple[Tensor, Tensor]]: ...


class TensorBatches:
    """Shuffled batches from images [n, ...] and labels [n] that live, whole, on `device`.

    The order is a function of `seed` and the epoch's number alone, so it needs no saving. An incomplete last batch is
    left out (the samples differ from epoch to epoch). With `world` processes, process `rank` gets every `world`-th
    sample of each global batch.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        batch_size: int,
        *,
        seed: int = 0,
        prepare: Callable[[Tensor], Tensor] = normalize,
        augment: bool = False,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if len(images) == 0 or len(images) != len(labels):
            raise InputError(f"{len(images)} images and {len(labels)} labels: training needs one label per image.")
        self.images = images.to(device)
        self.labels = labels.to(device)
        self.batch_size = min(batch_size, len(images))
        if self.batch_size % world:
            raise InputError(f"A batch of {self.batch_size} cannot be shared evenly among {world} processes.")
        self.seed = seed
        self.prepare = prepare
        self.augment = augment
        self.shard = slice(rank, None, world)

    def __len__(self) -> int:
        return len(self.images) // self.batch_size

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(mix_seeds(self.seed, number))
        order = torch.randperm(len(self.images), generator=generator).to(self.images.device)
        for indices in torch.split(order[: len(self) * self.batch_size], self.batch_size):
            shifts = torch.randint(2 * MAX_SHIFT + 1, (2, self.batch_size), generator=generator)
            mine = indices[self.shard]
            images = self.images[mine]
            if self.augment:
                images = shift(images, shifts[:, self.shard].to(images.device))
            yield self.prepare(images), self.labels[mine]


def shift(images: Tensor, shifts: Tensor) -> Tensor:
    """Move image i of [B, H, W] by `shifts[:, i] - MAX_SHIFT` pixels (down, right); background (0) moves in."""
    B, H, W = images.shape
    padded = F.pad(images, (MAX_SHIFT,) * 4)
    first_row, first_column = 2 * MAX_SHIFT - shifts
    rows = first_row[:, None] + torch.arange(H, device=images.device)
    columns = first_column[:, None] + torch.arange(W, device=images.device)
    return padded[torch.arange(B, device=images.device)[:, None, None], rows[:, :, None], columns[:, None, :]]


def mix_seeds(*seeds: int) -> int:
    """One 63-bit seed from several numbers; neighbouring inputs give unrelated seeds."""
    state = np.random.SeedSequence([seed & 0xFFFFFFFFFFFFFFFF for seed in seeds]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))
