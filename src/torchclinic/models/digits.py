"""Three classifiers of 28x28 pictures: plain, production-grade, convolutional. Input [B, 1, 28, 28] or [B, 28, 28]."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

PIXELS = 28 * 28
CLASSES = 10


class Mlp(nn.Module):
    """784-256-128-10 with ReLU: the hello world."""

    def __init__(self, hidden: Sequence[int] = (256, 128), classes: int = CLASSES) -> None:
        super().__init__()
        widths = (PIXELS, *hidden)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:  # [B, ...] with 784 values each -> logits [B, classes]
        x = x.flatten(1)
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.head(x)  # type: ignore[no-any-return]


class ModernMlp(nn.Module):
    """Linear, BatchNorm, ReLU, Dropout, again and again, then the head."""

    def __init__(self, hidden: Sequence[int] = (256, 128), dropout: float = 0.2, classes: int = CLASSES) -> None:
        super().__init__()
        widths = (PIXELS, *hidden)
        self.blocks = nn.Sequential(*(_block(a, b, dropout) for a, b in pairwise(widths)))
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:  # [B, ...] with 784 values each -> logits [B, classes]
        return self.head(self.blocks(x.flatten(1)))  # type: ignore[no-any-return]


class Cnn(nn.Module):
    """Two 3x3 convolutions with BatchNorm and pooling, then the head: 28x28 -> 14x14 -> 7x7."""

    def __init__(self, channels: Sequence[int] = (16, 32), dropout: float = 0.2, classes: int = CLASSES) -> None:
        super().__init__()
        first, second = channels
        self.features = nn.Sequential(
            nn.Conv2d(1, first, 3, padding=1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, 3, padding=1, bias=False),
            nn.BatchNorm2d(second),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(second * 7 * 7, classes)

    def forward(self, x: Tensor) -> Tensor:  # [B, 1, 28, 28] or [B, 28, 28] -> logits [B, classes]
        x = self.features(x.view(-1, 1, 28, 28))
        return self.head(self.dropout(x.flatten(1)))  # type: ignore[no-any-return]


def _block(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    # BatchNorm subtracts the mean, and with it any bias the linear layer had: it has none.
    return nn.Sequential(nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(dropout))
