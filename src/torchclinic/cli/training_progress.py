"""What `torchclinic train` says while it trains: a progress bar on a terminal, one line per epoch everywhere."""

import sys
import time
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from torchclinic.training import Callback, Epoch, Settings
from torchclinic.training import Progress as Training

REFRESH_SECONDS = 0.2  # reading the loss waits for the device: not at every step


class Narrator(Callback):
    """Silent in every process but the first."""

    def __init__(self, settings: Settings, rank: int) -> None:
        self.rank = rank
        self.epochs = settings.recipe.epochs
        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), "{task.fields[figures]}")
        parts = [TextColumn(column) if isinstance(column, str) else column for column in columns]
        quiet = rank > 0 or not sys.stderr.isatty()
        self.bar = Progress(*parts, console=Console(stderr=True), transient=True, disable=quiet)
        self.task = self.bar.add_task("", total=None, figures="")
        self.shown = self.started = 0.0

    def __enter__(self) -> None:
        self.bar.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.bar.stop()

    def step_done(self, progress: Training) -> None:
        now = time.perf_counter()
        step = progress.step - progress.epoch * progress.steps_per_epoch
        if step == 1:
            self.started = now
        if self.bar.disable or now - self.shown < REFRESH_SECONDS:
            return
        self.shown = now
        loss, accuracy = (total.item() / progress.images for total in (progress.loss, progress.correct))
        rate = progress.images * (step - 1) / step / max(now - self.started, 1e-9)
        self.bar.update(
            self.task,
            description=f"epoch {progress.epoch + 1}/{progress.epochs}",
            total=progress.steps_per_epoch,
            completed=step,
            figures=f"loss {loss:.4f}  accuracy {accuracy:.4f}  {rate:,.0f} images/s",
        )

    def epoch_done(self, progress: Training) -> None:
        if self.rank == 0:
            click.echo(epoch_line(progress.history[-1], self.epochs))


def epoch_line(epoch: Epoch, epochs: int) -> str:
    figures = f"loss {epoch.loss:.4f}  accuracy {epoch.accuracy:.4f}  test accuracy {epoch.test_accuracy:.4f}"
    return f"epoch {epoch.number}/{epochs}  {figures}  {epoch.images / epoch.seconds:,.0f} images/s"
