"""The manual loop: forward, loss, backward, step, zero. Knows nothing of data sets, monitors, files or terminals."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchclinic.training.batches import Batches
from torchclinic.training.modes import device_of


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to. Loss and accuracy are of the training batches, as they were met."""

    number: int  # from 1
    loss: float
    accuracy: float
    seconds: float  # of training alone, callbacks left out
    images: int
    test_accuracy: float | None = None
    test_loss: float | None = None
    validation_loss: float | None = None


@dataclass(slots=True)
class Progress:
    """Where a training is; callbacks read it, and end the training by setting `stop`."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    epochs: int
    steps_per_epoch: int
    epoch: int = 0  # finished epochs
    step: int = 0  # finished steps
    loss: Tensor = field(default_factory=lambda: torch.zeros(()))  # summed over this epoch's images, on the device
    correct: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.long))
    images: int = 0  # of this epoch
    history: list[Epoch] = field(default_factory=list)
    stop: bool = False

    @property
    def seconds(self) -> float:
        """Training time so far: the finished epochs, callbacks at their ends left out."""
        return sum(epoch.seconds for epoch in self.history)


class Callback:
    """Override what is needed."""

    def step_done(self, progress: Progress) -> None: ...

    def epoch_done(self, progress: Progress) -> None: ...


def fit(
    model: nn.Module,
    batches: Batches,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    loss_fn: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    learning_rate: Callable[[int], float] | None = None,
    callbacks: Sequence[Callback] = (),
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    forward: Callable[[Tensor], Tensor] | None = None,
    history: Sequence[Epoch] = (),
) -> Progress:
    """Train `model`, in place, until it has seen `epochs` epochs, those in `history` included.

    `batches` yields (input, class index) pairs on the model's device. `learning_rate(step)` is set before every step.
    `forward` stands in for the model in the forward pass (a compiled or distributed version of it); `autocast()` is
    entered around it. The model is left in train mode.
    """
    progress = Progress(model, optimizer, epochs, len(batches), history=list(history), epoch=len(history))
    progress.step = progress.epoch * len(batches)
    while progress.epoch < epochs and not progress.stop:
        model.train()
        progress.images = 0
        progress.loss = torch.zeros((), device=device_of(model))
        progress.correct = torch.zeros((), dtype=torch.long, device=device_of(model))
        start = time.perf_counter()
        for x, y in batches.epoch(progress.epoch):
            if learning_rate is not None:
                set_learning_rate(optimizer, learning_rate(progress.step))
            with autocast():
                logits = (forward or model)(x)
                loss = loss_fn(logits, y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            progress.step += 1
            progress.images += len(x)
            progress.loss += loss.detach() * len(x)
            progress.correct += (logits.detach().argmax(1) == y).sum()
            for callback in callbacks:
                callback.step_done(progress)
        _end_epoch(progress, start, callbacks)
    return progress


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _end_epoch(progress: Progress, start: float, callbacks: Sequence[Callback]) -> None:
    loss = progress.loss.item() / progress.images  # waits for the device: only now is the epoch over
    accuracy = progress.correct.item() / progress.images
    seconds = time.perf_counter() - start
    progress.epoch += 1
    progress.history.append(Epoch(progress.epoch, loss, accuracy, seconds, progress.images))
    for callback in callbacks:
        callback.epoch_done(progress)
