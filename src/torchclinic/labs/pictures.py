"""Sections several labs share: how a training went, and what a classifier gets right and wrong."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchclinic.data import Mnist, normalize
from torchclinic.labs.lab import Lab
from torchclinic.report.figures import heat_map, image_grid, line_chart, signed_pixels
from torchclinic.training import Evaluation

SHOWN = 20  # misclassified digits, and first-layer units


def show_training(lab: Lab, title: str, curve: Sequence[tuple[float, float]]) -> None:
    """The loss of every step, and its running mean over 20 steps."""
    losses = torch.tensor([loss for _, loss in curve], dtype=torch.float64)
    smooth = F.avg_pool1d(losses[None], min(20, len(losses)), stride=1)[0].tolist()
    mean = [(step + len(curve) - len(smooth), loss) for step, loss in enumerate(smooth)]
    lab.figure(line_chart(title, {"each step": curve, "mean of 20": mean}, "step", "loss in nats"))


def show_layers(lab: Lab, model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Mean square of activations and gradients, and share of zeros, layer by layer, for one batch."""
    seen: list[tuple[str, Tensor]] = []

    def record(name: str, output: Tensor) -> None:
        output.retain_grad()
        seen.append((name, output))

    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    hooks = [
        module.register_forward_hook(lambda _module, _input, output, name=name: record(name, output))
        for name, module in layers
    ]
    F.cross_entropy(model(normalize(images)), labels).backward()
    for hook in hooks:
        hook.remove()
    rows = [
        (name, x.square().mean().item(), (x <= 0).float().mean().item(), _gradient(x).square().mean().item())
        for name, x in seen
    ]
    model.zero_grad()
    columns = ("layer", "mean square of pre-activations", "share ≤ 0", "mean square of gradients")
    lab.table(columns, rows, f"Activations and gradients by layer, one batch of {len(images)}")


def show_evaluation(lab: Lab, weight: Tensor, data: Mnist, result: Evaluation) -> None:
    """Confusion matrix, precision and recall, the worst mistakes and the first layer's weights [units, 784] as pictures."""
    digits = [str(digit) for digit in range(len(result.confusion))]
    title = f"Confusion matrix on {result.count:,} test images"
    lab.figure(heat_map(title, digits, digits, result.confusion.tolist(), row_label="true", column_label="predicted"))
    per_class = zip(digits, result.precision.tolist(), result.recall.tolist(), result.f1.tolist(), strict=True)
    caption = f"By class; expected calibration error {result.calibration_error:.4f} (15 bins)"
    lab.table(("digit", "precision", "recall", "F1"), per_class, caption)
    worst = result.worst(SHOWN)
    if len(worst):
        names = [f"{result.labels[i]} read as {result.predictions[i]}" for i in worst]
        lab.figure(image_grid("The worst mistakes", data.test_images[worst].numpy(), names, columns=5))
    pictures = signed_pixels(weight.detach()[:SHOWN].view(-1, 28, 28).numpy())
    units = [f"unit {unit}" for unit in range(len(pictures))]
    description = "Blue pixels excite the unit, orange ones inhibit it."
    lab.figure(image_grid("First-layer weights", pictures, units, columns=10, description=description))


def _gradient(x: Tensor) -> Tensor:
    assert x.grad is not None
    return x.grad
