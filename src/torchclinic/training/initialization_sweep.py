"""Initialization × activation × depth: what reaches the last layer, what comes back to the first, and whether it trains.

All initializations and learning rates of one (activation, depth) are one ensemble: weights stacked, one vectorized step.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad_and_value, vmap
from torch.nn import functional as F

from torchclinic.theory import gain
from torchclinic.theory.activations import Activation, activation, leaky

INITIALIZATIONS = ("zeros", "constant 0.1", "N(0, 0.01²)", "N(0, 1)", "Xavier", "He", "orthogonal")
ACTIVATIONS = ("sigmoid", "tanh", "ReLU", "leaky ReLU", "SELU", "GELU")
RATES = (0.003, 0.03, 0.3)  # a network trains if it does at one of these learning rates
CLASSES = 4
SUCCESS = 0.75  # of log(CLASSES), the loss of a network that knows nothing


@dataclass(frozen=True, slots=True)
class SweepTask:
    """One activation and depth (layers with weights); `width` units, `batch` samples, `steps` of SGD."""

    activation: str
    depth: int
    width: int = 32
    batch: int = 64
    steps: int = 30
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SweepCell:
    """One network at initialization (mean squares; dead: share of hidden units) and its best loss after training."""

    initialization: str
    activation: str
    depth: int
    variance_last: float
    gradient_first: float
    dead_share: float
    loss: float

    @property
    def trains(self) -> bool:
        return self.loss < SUCCESS * math.log(CLASSES)


def run_cell(task: SweepTask) -> list[SweepCell]:
    """All initializations for one activation and depth. Draws from generators of its own."""
    phi = _activation(task.activation)
    generator = torch.Generator().manual_seed(task.seed)
    x = torch.randn(task.batch, task.width, generator=generator)
    targets = (x @ torch.randn(task.width, CLASSES, generator=generator)).argmax(1)
    normal = torch.randn(task.depth - 1, task.width, task.width, generator=generator)
    hidden = torch.stack([draw(name, phi, normal) for name in INITIALIZATIONS])  # [I, depth - 1, N, N]
    normal = torch.randn(CLASSES, task.width, generator=generator)
    heads = torch.stack([_scaled(name, phi, normal) for name in INITIALIZATIONS])  # [I, classes, N]
    variance, gradient, dead = _at_birth(hidden, heads, x, targets, phi)
    losses = _train(hidden, heads, x, targets, phi, task.steps)
    return [
        SweepCell(name, task.activation, task.depth, *(float(value[i]) for value in (variance, gradient, dead, losses)))
        for i, name in enumerate(INITIALIZATIONS)
    ]


def draw(name: str, phi: Activation, normal: Tensor) -> Tensor:
    """Weights [..., out, in] of one initialization from standard normal draws, the same for all of them: pairs differ
    by nothing but the scale. 'orthogonal' has the activation's gain."""
    if name == "orthogonal":
        q, r = torch.linalg.qr(normal)
        signs: Tensor = torch.diagonal(r, dim1=-2, dim2=-1).sign()
        weight: Tensor = gain(phi) * q * signs[..., None, :]
        return weight
    return _scaled(name, phi, normal)


def _scaled(name: str, phi: Activation, normal: Tensor) -> Tensor:
    scale = _scale(name, phi, normal.shape[-1], normal.shape[-2])
    return torch.full_like(normal, 0.1) if scale is None else scale * normal


def _scale(name: str, phi: Activation, fan_in: int, fan_out: int) -> float | None:
    """Standard deviation of the weights; None for constant ones."""
    return {
        "zeros": 0.0,
        "constant 0.1": None,
        "N(0, 0.01²)": 0.01,
        "N(0, 1)": 1.0,
        "Xavier": math.sqrt(2 / (fan_in + fan_out)),
        "He": math.sqrt(2 / fan_in),
        "orthogonal": gain(phi) / math.sqrt(fan_in),
    }[name]


def _activation(name: str) -> Activation:
    return leaky(0.01) if name == "leaky ReLU" else activation(getattr(nn, name, name.lower()))


def _forward(hidden: Tensor, head: Tensor, x: Tensor, phi: Activation) -> Tensor:
    for weight in hidden.unbind(0):
        x = phi.function(x @ weight.T)
    return x @ head.T


def _at_birth(hidden: Tensor, heads: Tensor, x: Tensor, targets: Tensor, phi: Activation) -> tuple[Tensor, Tensor, Tensor]:
    """Variance of the last hidden pre-activation, mean square of the first layer's gradient, share of dead units; [I] each."""
    signal = x.expand(len(hidden), *x.shape)
    dead, variance = torch.zeros(len(hidden)), torch.zeros(len(hidden))
    for weight in hidden.unbind(1):
        before = torch.bmm(signal, weight.transpose(1, 2))
        signal = phi.function(before)
        variance = before.var(dim=(1, 2))
        dead += (signal == 0).all(1).float().mean(1)
    gradients, _ = _step(phi, x, targets)(hidden, heads)
    return variance, gradients[0][:, 0].square().mean(dim=(1, 2)), dead / hidden.shape[1]


def _step(phi: Activation, x: Tensor, targets: Tensor) -> Callable[[Tensor, Tensor], Any]:
    """Gradients and loss of every network of the ensemble."""

    def loss(hidden: Tensor, head: Tensor) -> Tensor:
        return F.cross_entropy(_forward(hidden, head, x, phi), targets)

    step: Callable[[Tensor, Tensor], Any] = vmap(grad_and_value(loss, argnums=(0, 1)))
    return step


def _train(hidden: Tensor, heads: Tensor, x: Tensor, targets: Tensor, phi: Activation, steps: int) -> Tensor:
    """The lowest final loss over the learning rates, [I]; infinity where all of them end in NaN."""
    rates = torch.tensor(RATES).repeat_interleave(len(hidden))
    hidden, heads = hidden.repeat(len(RATES), 1, 1, 1), heads.repeat(len(RATES), 1, 1)
    step = _step(phi, x, targets)
    loss = torch.zeros(len(hidden))
    for _ in range(steps + 1):
        (grad_hidden, grad_heads), loss = step(hidden, heads)
        hidden = hidden - rates[:, None, None, None] * grad_hidden
        heads = heads - rates[:, None, None] * grad_heads
    return torch.nan_to_num(loss, nan=math.inf).reshape(len(RATES), -1).amin(0)
