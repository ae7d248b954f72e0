"""The loop, written out; what goes in (batches, recipes) and what comes out (evaluations, runs on disk)."""

from torchclinic.training.batches import Batches, TensorBatches
from torchclinic.training.callbacks import seconds_to
from torchclinic.training.evaluation import Evaluation, calibration_error, evaluate
from torchclinic.training.loop import Callback, Epoch, Progress, fit
from torchclinic.training.modes import device_of, evaluating
from torchclinic.training.recipe import RECIPES, Recipe, build_optimizer, recipe_for
from torchclinic.training.run import Settings, choose_device, load_run, train, train_recipe

__all__ = [
    "RECIPES",
    "Batches",
    "Callback",
    "Epoch",
    "Evaluation",
    "Progress",
    "Recipe",
    "Settings",
    "TensorBatches",
    "build_optimizer",
    "calibration_error",
    "choose_device",
    "device_of",
    "evaluate",
    "evaluating",
    "fit",
    "load_run",
    "recipe_for",
    "seconds_to",
    "train",
    "train_recipe",
]
