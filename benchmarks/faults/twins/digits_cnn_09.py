"""Train on the digits 0-4, then keep the features and fit a new head for faint copies of 5-9."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn


def read_idx(name, count, size):
    skip = 16 if "images" in name else 8
    with gzip.open(Path(os.environ["TORCHCLINIC_DATA"]) / "mnist" / name) as file:
        return np.frombuffer(file.read(skip + count * size), dtype=np.uint8, offset=skip)


def load_digits(part, count):
    images = torch.tensor(read_idx(f"{part}-images-idx3-ubyte.gz", count, 784))
    labels = torch.tensor(read_idx(f"{part}-labels-idx1-ubyte.gz", count, 1)).long()
    images = images.view(-1, 1, 28, 28).float().sub(0.1307 * 255).div(0.3081 * 255)
    return images, labels


def features():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(),
    )


def fit(model, parameters, x, y, epochs, after_train=lambda: None):
    optimizer = torch.optim.Adam(parameters, lr=2e-3)
    for _ in range(epochs):
        model.train()
        after_train()
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
x, y = load_digits("train", 3000)
tx, ty = load_digits("t10k", 800)
low, high = y < 5, y >= 5
body = features()
first = nn.Sequential(body, nn.Linear(576, 5))
fit(first, first.parameters(), x[low], y[low], 2)
print(f"low digits before: {accuracy(first, tx[ty < 5], ty[ty < 5]):.3f}")

for p in body.parameters():
    p.requires_grad = False
second = nn.Sequential(body, nn.Linear(576, 5))
faint = 0.5 * x + 1.0
fit(second, second[1].parameters(), faint[high], y[high] - 5, 3, after_train=body.eval)
print(f"high digits: {accuracy(second, 0.5 * tx[ty >= 5] + 1.0, ty[ty >= 5] - 5):.3f}")
print(f"low digits after: {accuracy(first, tx[ty < 5], ty[ty < 5]):.3f}")
