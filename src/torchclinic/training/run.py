"""Train a digit classifier from settings, save every epoch, go on bit for bit where a run ended, load what it made."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.data import Mnist
from torchclinic.errors import CheckpointError, InputError
from torchclinic.models import build
from torchclinic.training import checkpoints
from torchclinic.training.batches import TensorBatches
from torchclinic.training.callbacks import Save, StopEarly, Test, best_epoch
from torchclinic.training.loop import Callback, Epoch, Progress, fit
from torchclinic.training.recipe import FEW_IMAGES, Recipe, build_optimizer, recipe_for

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("fp32", "bf16")
HELD_OUT = 10  # with early stopping, the last tenth of the training images validates


@dataclass(frozen=True, slots=True)
class Settings:
    """All that decides what a run computes. Raises: InputError for settings no run can have."""

    model: str = "modern"
    data: str = "subset"
    seed: int = 0
    precision: str = "fp32"
    compile: bool = False
    patience: int | None = None  # epochs without improvement before training stops; None = never
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(f'precision "{self.precision}": choose one of {", ".join(PRECISIONS)}.')
        if self.patience is not None and self.patience < 1:
            raise InputError(f"early stopping after {self.patience} epochs: at least 1 is needed to tell.")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed = {self.seed}: a seed is a whole number from 0 to 2^63 - 1.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(content: dict[str, Any], place: Path) -> "Settings":
        """Raises: CheckpointError if a run folder's settings are none."""
        values = {name: value for name, value in content.items() if name != "schema"}
        try:
            return Settings(**{**values, "recipe": Recipe(**values["recipe"])})
        except (KeyError, TypeError, InputError) as error:
            raise CheckpointError(f"{place / checkpoints.RUN} does not describe a run: {error}") from error


@dataclass(frozen=True, slots=True)
class World:
    """One process of those that train together; alone by default."""

    rank: int = 0
    size: int = 1
    share: Callable[[nn.Module], nn.Module] = lambda model: model  # the forward pass over a batch shared by all
    wait: Callable[[], None] = lambda: None  # until all are here
    callbacks: tuple[Callback, ...] = ()  # before all others

    @contextmanager
    def first(self) -> Iterator[None]:
        """What process 0 does before the others do it: fetch a file that then is there."""
        if self.rank > 0:
            self.wait()
        yield
        if self.rank == 0:
            self.wait()


def train(
    settings: Settings,
    data: Mnist,
    *,
    folder: Path | None = None,
    device: torch.device | str = "cpu",
    callbacks: Sequence[Callback] = (),
    world: World | None = None,
) -> Progress:
    """Train a new model as `settings` say; seeds torch. With a `folder`, every epoch is saved there.

    If the folder holds finished epochs of this run, training goes on after the last one, and ends bit-identical to a
    run that was never interrupted.
    """
    world = world or World()
    torch.manual_seed(settings.seed)
    model = build(settings.model).to(device)
    optimizer = build_optimizer(settings.recipe, model.parameters())
    history: tuple[Epoch, ...] = ()
    if folder is not None and checkpoints.has_checkpoint(folder):
        checkpoint = checkpoints.load_checkpoint(folder)
        checkpoints.restore_model(model, checkpoint)
        checkpoints.restore_training(optimizer, checkpoint)
        history = checkpoint.history
    saving = [Save(folder)] if folder is not None and world.rank == 0 else []
    return _fit(settings, model, optimizer, data, history, [*saving, *callbacks], world)


def train_recipe(
    name: str, model: nn.Module, data: Mnist, *, seed: int = 0, recipe: Recipe | None = None, callbacks: Sequence[Callback] = ()
) -> Progress:
    """Train `model`, in place and on its device, by the recipe of the model called `name` for this much data.

    `seed` decides the order of the samples; what the model draws itself (dropout) comes from torch's global stream.
    """
    recipe = recipe or recipe_for(name, "subset" if len(data.train_images) < FEW_IMAGES else "mnist")
    optimizer = build_optimizer(recipe, model.parameters())
    settings = Settings(model=name, data=data.name, seed=seed, recipe=recipe)
    return _fit(settings, model, optimizer, data, (), callbacks, World())


def load_run(folder: Path, device: torch.device | str = "cpu") -> tuple[nn.Module, Settings]:
    """The model a run folder holds, in eval mode, and the run's settings.

    It is the last finished epoch's; with early stopping, that of the lowest validation loss.

    Raises: CheckpointError if there is no run, it is damaged, or the weights are another architecture's.
    """
    settings = Settings.from_dict(checkpoints.read_run(folder), folder)
    last = checkpoints.load_checkpoint(folder)
    best = best_epoch(last.history)
    checkpoint = last if best == len(last.history) else checkpoints.load_checkpoint(folder, best)
    model = build(settings.model)
    checkpoints.restore_model(model, checkpoint)
    return model.to(device).eval(), settings


def read_settings(folder: Path, epochs: int | None = None) -> Settings:
    """The settings of a run to be continued, to `epochs` epochs in all if given (the folder then says so too).

    Raises: CheckpointError if the folder holds no run; InputError for a number of epochs no run can have.
    """
    settings = Settings.from_dict(checkpoints.read_run(folder), folder)
    if epochs is not None and epochs != settings.recipe.epochs:
        settings = replace(settings, recipe=settings.recipe.changed(epochs=epochs))
        checkpoints.update_run(folder, settings.to_dict())
    return settings


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`; "auto" is the first there of cuda, mps, cpu. Raises: InputError if it is absent."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, present in there.items() if present))
    if not there.get(name, False):
        raise InputError(f'The device "{name}" is not there: choose one of {", ".join(d for d in there if there[d])}.')
    return torch.device(name)


def _fit(
    settings: Settings,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: Mnist,
    history: Sequence[Epoch],
    callbacks: Sequence[Callback],
    world: World,
) -> Progress:
    recipe = settings.recipe
    device = next(model.parameters()).device
    images, labels = data.train_images, data.train_labels
    watching: list[Callback] = [Test(data.test_images, data.test_labels)]
    if settings.patience is not None:
        split = len(images) - len(images) // HELD_OUT
        watching.append(StopEarly(images[split:], labels[split:], settings.patience))
        images, labels = images[:split], labels[:split]
    epochs = recipe.epochs
    if settings.patience is not None and history and len(history) - best_epoch(history) >= settings.patience:
        epochs = len(history)  # it had stopped early
    batches = TensorBatches(
        images,
        labels,
        recipe.batch_size,
        seed=settings.seed,
        augment=recipe.augment,
        device=device,
        rank=world.rank,
        world=world.size,
    )
    steps = recipe.epochs * len(batches)
    forward: Callable[[Tensor], Tensor] = world.share(model)
    return fit(
        model,
        batches,
        optimizer,
        epochs=epochs,
        loss_fn=recipe.loss(),
        learning_rate=lambda step: recipe.learning_rate_at(step, steps),
        callbacks=[*world.callbacks, *watching, *callbacks],
        autocast=lambda: _autocast(settings.precision, device),
        forward=torch.compile(forward) if settings.compile else forward,
        history=history,
    )


def _autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
