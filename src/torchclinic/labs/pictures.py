"""How a training went, step by step and layer by layer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchclinic.data import normalize
from torchclinic.labs.lab import Lab
from torchclinic.report.figures import line_chart


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


def _gradient(x: Tensor) -> Tensor:
    assert x.grad is not None
    return x.grad
