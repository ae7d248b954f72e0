"""Batches of pictures that are mirrored and moved at random, and rates that fall."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from torchclinic.data.image_folder import ImageFolder
from torchclinic.training.batches import mix_seeds
from torchclinic.training.loop import Callback, Progress

REACH = 8  # pictures move by up to this fraction of their side
WARMUP = 10  # the rate rises over this fraction of the steps


class MovedPictures:
    """Shuffled batches; each is moved as a whole, each picture mirrored with probability 1/2 where that is allowed.

    What epoch `number` yields depends on the seed and the number alone.
    """

    def __init__(
        self, data: ImageFolder, batch_size: int, seed: int, prepare: Callable[[Tensor], Tensor], device: torch.device
    ) -> None:
        self.data, self.prepare, self.device, self.seed = data, prepare, device, seed
        self.batch_size = min(batch_size, len(data.train_images))

    def __len__(self) -> int:
        return len(self.data.train_images) // self.batch_size

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(mix_seeds(self.seed, number))
        order = torch.randperm(len(self.data.train_images), generator=generator)
        for indices in torch.split(order[: len(self) * self.batch_size], self.batch_size):
            images = self._moved(self.data.train_images[indices], generator)
            yield self.prepare(images.to(self.device)), self.data.train_labels[indices].to(self.device)

    def _moved(self, images: Tensor, generator: torch.Generator) -> Tensor:
        side = images.shape[-1]
        reach = side // REACH
        if self.data.mirrored:
            mirrored = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
            images = torch.where(mirrored, images.flip(3), images)
        down, right = torch.randint(2 * reach + 1, (2,), generator=generator).tolist()
        padded = F.pad(images.float(), (reach,) * 4, mode="reflect")
        return padded[:, :, down : down + side, right : right + side]


class FallingRates(Callback):
    """Each group's learning rate rises to its own peak over the first tenth of `steps`, then falls to 0 as a cosine."""

    def __init__(self, optimizer: torch.optim.Optimizer, steps: int) -> None:
        self.optimizer, self.steps = optimizer, steps
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self._set(0)

    def step_done(self, progress: Progress) -> None:
        self._set(progress.step)

    def _set(self, step: int) -> None:
        rising = max(1, self.steps // WARMUP)
        done = (step - rising) / max(1, self.steps - rising)
        share = (step + 1) / rising if step < rising else 0.5 * (1 + math.cos(math.pi * done))
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * share
