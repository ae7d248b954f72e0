"""Reports of a training, an evaluation and predictions."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.data import Mnist
from torchclinic.report.figures import heat_map, image_grid, line_chart, signed_pixels
from torchclinic.report.model import Block, NotChecked, Section, Table, Value
from torchclinic.report.results import Report
from torchclinic.training.callbacks import seconds_to
from torchclinic.training.evaluation import CALIBRATION_BINS, Evaluation
from torchclinic.training.loop import Epoch
from torchclinic.training.run import Settings
from torchclinic.units import format_seconds

TARGETS = (0.9, 0.95, 0.97, 0.98, 0.985, 0.99)  # test accuracies whose time is reported
SHOWN = 20  # misclassified digits, and first-layer units


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    file: Path
    image: Tensor  # uint8 [28, 28], as the model saw it
    probabilities: Tensor  # float32 [classes]

    @property
    def digit(self) -> int:
        return int(self.probabilities.argmax())


def training_report(settings: Settings, history: Sequence[Epoch], model: nn.Module, data: Mnist, result: Evaluation) -> Report:
    """How a training went and what came of it; `result` is of the test images."""
    seconds = sum(epoch.seconds for epoch in history)
    what = f"{settings.model} on {data.name}"
    after = f"after {len(history)} epochs, {format_seconds(seconds)} of training"
    return Report(
        title=f"Training of {what}",
        summary=f"{_percent(result.accuracy)} of {result.count:,} test images right {after}.",
        sections=(Section("Training", training_blocks(history)), Section("Test", evaluation_blocks(model, data, result))),
        data={
            "test_accuracy": result.accuracy,
            "test_loss": result.loss,
            "calibration_error": result.calibration_error,
            "epochs": len(history),
            "seconds": seconds,
            "seconds_to": {str(target): seconds_to(history, target) for target in TARGETS},
            "images_per_second": sum(epoch.images for epoch in history) / seconds,
            "history": [asdict(epoch) for epoch in history],
            "settings": settings.to_dict(),
        },
        environment=environment(model),
    )


def evaluation_report(settings: Settings, model: nn.Module, data: Mnist, source: str, result: Evaluation) -> Report:
    """What a trained model gets right and wrong on the test images of `data`."""
    reasons = []
    if settings.data == "mnist" and source == "subset":
        reason = "the model was trained on all of MNIST's training images, and the embedded images are among them"
        reasons.append(NotChecked("generalization", f"{reason}: evaluate it with --data mnist"))
    return Report(
        title=f"Evaluation of {settings.model} on {data.name}",
        summary=f"{_percent(result.accuracy)} of {result.count:,} test images right.",
        sections=(Section("Test", evaluation_blocks(model, data, result)),),
        not_checked=tuple(reasons),
        data={**result.to_dict(), "calibration_bins": CALIBRATION_BINS, "settings": settings.to_dict()},
        environment=environment(model),
    )


def prediction_report(predictions: Sequence[Prediction], refused: Mapping[Path, str]) -> Report:
    """What digit each file shows, and which files could not be read."""
    blocks: list[Block] = []
    if predictions:
        names = [f"{prediction.file.name}: {prediction.digit}" for prediction in predictions]
        blocks.append(image_grid("As the model saw them", torch.stack([p.image for p in predictions]).numpy(), names))
        columns = ("file", "class", *(f"P({digit})" for digit in range(len(predictions[0].probabilities))))
        rows = tuple((str(p.file), p.digit, *(round(x, 4) for x in p.probabilities.tolist())) for p in predictions)
        blocks.append(Table(columns, rows, "Probabilities"))
    return Report(
        title="Predictions",
        summary=f"{len(predictions)} files read, {len(refused)} refused.",
        sections=(Section("Predictions", tuple(blocks)),),
        not_checked=tuple(NotChecked(str(file), reason) for file, reason in refused.items()),
        data={
            "predictions": [{"file": str(p.file), "class": p.digit, "probabilities": p.probabilities.tolist()} for p in predictions]
        },
    )


def training_blocks(history: Sequence[Epoch]) -> tuple[Block, ...]:
    """Loss and accuracy by epoch, as two charts and a table."""
    loss = {"training": _curve(history, "loss"), "test": _curve(history, "test_loss")}
    if validation := _curve(history, "validation_loss"):
        loss["validation"] = validation
    accuracy = {"training": _curve(history, "accuracy"), "test": _curve(history, "test_accuracy")}
    note = "Training figures are those of the batches as they were met, with dropout and before later steps."
    columns = ("epoch", "training loss", "training accuracy", "test loss", "test accuracy", "seconds", "images/s")
    rows = tuple(
        (e.number, e.loss, e.accuracy, e.test_loss, e.test_accuracy, e.seconds, round(e.images / e.seconds)) for e in history
    )
    return (
        line_chart("Loss", loss, "epoch", "loss in nats", markers=True, description=note),
        line_chart("Accuracy", accuracy, "epoch", "share right", markers=True, description=note),
        Table(columns, rows, "By epoch; seconds are of training alone, tests left out"),
    )


def evaluation_blocks(model: nn.Module, data: Mnist, result: Evaluation) -> tuple[Block, ...]:
    """Confusion matrix, figures by class, the worst mistakes and the first layer's weights as pictures."""
    digits = [str(digit) for digit in range(len(result.confusion))]
    counts = result.confusion.tolist()
    blocks: list[Block] = [heat_map("Confusion matrix", digits, digits, counts, row_label="true", column_label="predicted")]
    columns = zip(digits, result.precision.tolist(), result.recall.tolist(), result.f1.tolist(), strict=True)
    error = f"expected calibration error {result.calibration_error:.4f} ({CALIBRATION_BINS} bins)"
    blocks.append(Table(("class", "precision", "recall", "F1"), tuple(columns), f"By class; {error}"))
    if len(worst := result.worst(SHOWN)):
        names = [f"{result.labels[i]} read as {result.predictions[i]}" for i in worst]
        blocks.append(image_grid("The worst mistakes", data.test_images[worst].numpy(), names, columns=5))
    weights = first_weights(model)[:SHOWN]
    units = [f"unit {unit}" for unit in range(len(weights))]
    description = "Blue pixels excite the unit, orange ones inhibit it."
    pictures = signed_pixels(weights.numpy())
    return (*blocks, image_grid("First-layer weights", pictures, units, description=description))


def first_weights(model: nn.Module) -> Tensor:
    """The first layer's weights as pictures [units, H, W]: 28x28 for a linear layer, the kernel for a convolution."""
    weight = next(model.parameters()).detach().float().cpu()
    return weight.view(-1, 28, 28) if weight.dim() == 2 else weight[:, 0]


def environment(model: nn.Module) -> Mapping[str, Value]:
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": str(next(model.parameters()).device),
        "threads": torch.get_num_threads(),
    }


def _percent(share: float) -> str:
    """0.98123 -> '98.12 %'."""
    return f"{share * 100:.2f} %"


def _curve(history: Sequence[Epoch], name: str) -> list[tuple[float, float]]:
    values: list[tuple[int, Any]] = [(epoch.number, getattr(epoch, name)) for epoch in history]
    return [(float(number), value) for number, value in values if value is not None]
