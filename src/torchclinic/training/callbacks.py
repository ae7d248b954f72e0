"""What happens at the end of an epoch: test, validate, stop early, save."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from torchclinic.training.checkpoints import save_checkpoint
from torchclinic.training.evaluation import evaluate
from torchclinic.training.loop import Callback, Epoch, Progress


class Test(Callback):
    """Write accuracy and loss on the test images into the history."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def epoch_done(self, progress: Progress) -> None:
        result = evaluate(progress.model, self.images, self.labels)
        progress.history[-1] = replace(progress.history[-1], test_accuracy=result.accuracy, test_loss=result.loss)


class StopEarly(Callback):
    """Stop when the loss on images held out from training has not improved for `patience` epochs."""

    def __init__(self, images: Tensor, labels: Tensor, patience: int) -> None:
        self.images, self.labels, self.patience = images, labels, patience

    def epoch_done(self, progress: Progress) -> None:
        loss = evaluate(progress.model, self.images, self.labels).loss
        progress.history[-1] = replace(progress.history[-1], validation_loss=loss)
        progress.stop = progress.epoch - best_epoch(progress.history) >= self.patience


class Save(Callback):
    """Write a checkpoint; with validation, the best epoch's is kept too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def epoch_done(self, progress: Progress) -> None:
        save_checkpoint(self.folder, progress, keep=best_epoch(progress.history))


def best_epoch(history: Sequence[Epoch]) -> int:
    """Number of the epoch with the lowest validation loss; the last one if there was no validation."""
    validated = [epoch for epoch in history if epoch.validation_loss is not None]
    if not validated:
        return history[-1].number
    return min(validated, key=lambda epoch: epoch.validation_loss or 0.0).number


def seconds_to(history: Sequence[Epoch], accuracy: float) -> float | None:
    """Training time until the first test that reached `accuracy`, the tests' own time left out; None if none did."""
    seconds = 0.0
    for epoch in history:
        seconds += epoch.seconds
        if epoch.test_accuracy is not None and epoch.test_accuracy >= accuracy:
            return seconds
    return None
