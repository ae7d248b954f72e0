"""The loop, written out; what goes in (batches, recipes) and what comes out (evaluations, runs on disk)."""

from torchclinic.training.batches import Batches, TensorBatches
from torchclinic.training.evaluation import Evaluation, calibration_error, evaluate
from torchclinic.training.loop import Callback, Epoch, Progress, fit
from torchclinic.training.modes import device_of, evaluating
from torchclinic.training.recipe import RECIPES, Recipe, build_optimizer

__all__ = [
    "RECIPES",
    "Batches",
    "Callback",
    "Epoch",
    "Evaluation",
    "Progress",
    "Recipe",
    "TensorBatches",
    "build_optimizer",
    "calibration_error",
    "device_of",
    "evaluate",
    "evaluating",
    "fit",
]
