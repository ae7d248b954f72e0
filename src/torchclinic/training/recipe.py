"""How to train: the numbers, the optimizers and the learning-rate schedules, and the recipe of each model."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from torchclinic.errors import InputError

Schedule = Callable[[float], float]  # share of the training done, 0 to 1 -> share of the peak learning rate

WARMUP = 0.25  # share of the steps a one-cycle schedule rises for
FINAL = 0.001  # share of the peak at which the falling schedules end


def one_cycle(done: float) -> float:
    """Linearly up to the peak, then along a cosine to almost 0. Reference: Smith & Topin 2017, arXiv:1708.07120."""
    if done < WARMUP:
        return 0.04 + 0.96 * done / WARMUP
    return cosine((done - WARMUP) / (1 - WARMUP))


def cosine(done: float) -> float:
    """From the peak along half a cosine. Reference: Loshchilov & Hutter 2016, arXiv:1608.03983, eq. 5 (one period)."""
    return FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * done))


def constant(done: float) -> float:
    return 1.0


SCHEDULES: Mapping[str, Schedule] = {"one-cycle": one_cycle, "cosine": cosine, "constant": constant}
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of a training run. `learning_rate` is the peak of the schedule; the batch is the global one.

    Raises: InputError for numbers no training can use.
    """

    epochs: int = 5
    batch_size: int = 128
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    schedule: str = "one-cycle"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    augment: bool = False  # shift every picture by up to two pixels

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, f"epochs = {self.epochs}: a run needs at least 1 epoch")
        _require(self.batch_size >= 1, f"batch size = {self.batch_size}: a batch needs at least 1 image")
        rate = self.learning_rate
        _require(math.isfinite(rate) and rate > 0, f"learning rate = {rate}: it must be a positive number")
        _require(self.optimizer in OPTIMIZERS, f'optimizer "{self.optimizer}": choose one of {", ".join(OPTIMIZERS)}')
        _require(self.schedule in SCHEDULES, f'schedule "{self.schedule}": choose one of {", ".join(SCHEDULES)}')
        decay = self.weight_decay
        _require(math.isfinite(decay) and decay >= 0, f"weight decay = {decay}: it must be 0 or a positive number")
        _require(0 <= self.label_smoothing < 1, f"label smoothing = {self.label_smoothing}: it must lie in [0, 1)")

    def learning_rate_at(self, step: int, steps: int) -> float:
        """The learning rate of step `step` (from 0) of `steps`."""
        return self.learning_rate * SCHEDULES[self.schedule](step / max(steps - 1, 1))

    def loss(self) -> nn.CrossEntropyLoss:
        return nn.CrossEntropyLoss(label_smoothing=self.label_smoothing)

    def changed(self, **changes: Any) -> "Recipe":
        """This recipe with the given numbers in place of its own; None leaves a number as it is."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


def build_optimizer(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimizer over `parameters`; only those that require gradients are given to it."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if not trained:
        raise InputError("No parameter requires gradients: there is nothing to train.")
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "adam":
        return torch.optim.Adam(trained, lr=rate, weight_decay=decay, fused=True)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(trained, lr=rate, weight_decay=decay, fused=True)
    momentum = 0.9 if recipe.optimizer == "momentum" else 0.0
    return torch.optim.SGD(trained, lr=rate, momentum=momentum, nesterov=momentum > 0, weight_decay=decay)


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise InputError(f"{complaint}.")


# For 60,000 training images, and for the embedded 4,000.
RECIPES: Mapping[str, Recipe] = {
    "mlp": Recipe(epochs=5, batch_size=128, learning_rate=3e-3),
    "modern": Recipe(epochs=4, batch_size=256, learning_rate=0.02),  # benchmarks/time_to_accuracy.py
    "cnn": Recipe(epochs=3, batch_size=128, learning_rate=5e-3),
}
SUBSET_RECIPES: Mapping[str, Recipe] = {
    "mlp": Recipe(epochs=15, batch_size=64, learning_rate=3e-3),
    "modern": Recipe(epochs=15, batch_size=64, learning_rate=0.01),
    "cnn": Recipe(epochs=6, batch_size=64, learning_rate=5e-3),
}
FEW_IMAGES = 10_000


def recipe_for(model: str, data: str) -> Recipe:
    """The recipe of the model called `model` for "mnist" or "subset". Raises: InputError if there is none."""
    recipes = SUBSET_RECIPES if data == "subset" else RECIPES
    if model not in recipes:
        raise InputError(f'There is no recipe for "{model}": choose one of {", ".join(recipes)}.')
    return recipes[model]
