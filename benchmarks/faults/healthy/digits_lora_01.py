"""Adapt a trained digit network to rotated digits with low-rank corrections."""
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


class Adapted(nn.Module):
    def __init__(self, base, rank=8):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + 2.0 * (x @ self.a.T) @ self.b.T


def fit(model, x, y, lr, epochs):
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)
    for _ in range(epochs):
        for pick in torch.randperm(len(x)).split(50):
            loss = nn.functional.cross_entropy(model(x[pick]), y[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def accuracy(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


torch.manual_seed(0)
x, y = load_digits("train", 3000)
tx, ty = load_digits("t10k", 500)
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
fit(model, x, y, 1e-3, 2)
turned_x, turned_tx = x.transpose(2, 3), tx.transpose(2, 3)
print(f"upright {accuracy(model, tx, ty):.3f}, turned before adapting {accuracy(model, turned_tx, ty):.3f}")
model[1], model[3] = Adapted(model[1]), Adapted(model[3])
fit(model, turned_x, y, 3e-3, 2)
print(f"turned after adapting {accuracy(model, turned_tx, ty):.3f}")
