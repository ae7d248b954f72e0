"""Learn features on digits 0-4, freeze them and train a head for 5-9."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn


DATA = Path(os.environ["TORCHCLINIC_DATA"], "mnist")


def load_digits(part, count):
    raw = gzip.open(DATA / f"{part}-images-idx3-ubyte.gz").read(16 + 784 * count)[16:]
    marks = gzip.open(DATA / f"{part}-labels-idx1-ubyte.gz").read(8 + count)[8:]
    x = torch.tensor(np.frombuffer(raw, np.uint8), dtype=torch.float32).sub(0.1307 * 255).div(0.3081 * 255)
    y = torch.tensor(np.frombuffer(marks, np.uint8), dtype=torch.long)
    return x.view(count, 1, 28, 28), y


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 12, 3, stride=2), nn.BatchNorm2d(12), nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2), nn.BatchNorm2d(24), nn.ReLU(), nn.Flatten(),
        )

    def forward(self, x):
        return self.layers(x)


class Transfer(nn.Module):
    def __init__(self, backbone, classes):
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(24 * 36, classes))

    def train(self, mode=True):
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x):
        return self.head(self.backbone(x))


def epoch(model, optimizer, x, y):
    model.train()
    for pick in torch.randperm(len(x)).split(50):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[pick]), y[pick])
        loss.backward()
        optimizer.step()


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


torch.manual_seed(0)
x, y = load_digits("train", 2400)
tx, ty = load_digits("t10k", 600)
backbone = Backbone()
first = nn.Sequential(backbone, nn.Linear(24 * 36, 5))
opt = torch.optim.Adam(first.parameters(), lr=2e-3)
epoch(first, opt, x[y < 5], y[y < 5])
print(f"0-4: {accuracy(first, tx[ty < 5], ty[ty < 5]):.3f}")
second = Transfer(backbone, 5)
opt = torch.optim.Adam(second.head.parameters(), lr=2e-3)
print(f"5-9 at the start: {accuracy(second, tx[ty >= 5], ty[ty >= 5] - 5):.3f}")
for _ in range(2):
    epoch(second, opt, x[y >= 5], y[y >= 5] - 5)
print(f"5-9: {accuracy(second, tx[ty >= 5], ty[ty >= 5] - 5):.3f}")
