"""Pretrain on many digits, store, then fine-tune a fresh copy on a few."""
import gzip
import io
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


def network():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10)
    )


class Wrapper(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)


def train(model, x, y, epochs, lr):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(epochs):
        for pick in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[pick]), y[pick])
            loss.backward()
            optimizer.step()
    return loss.item()


def accuracy(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


torch.manual_seed(0)
x, y = load_digits("train", 3000)
tx, ty = load_digits("t10k", 500)
wrapped = Wrapper(network())
train(wrapped, x[:2500], y[:2500], 2, 2e-3)
print(f"pretrained accuracy {accuracy(wrapped, tx, ty):.3f}")
file = io.BytesIO()
torch.save(wrapped.state_dict(), file)
file.seek(0)

model = network()
state = torch.load(file)
model.load_state_dict({k.removeprefix("module."): v for k, v in state.items()})
loss = train(model, x[2500:], y[2500:], 1, 5e-4)
print(f"fine-tuned loss {loss:.3f} accuracy {accuracy(model, tx, ty):.3f}")
