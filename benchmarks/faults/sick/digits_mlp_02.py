"""Digits with a configurable stack of layers."""
import gzip
import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load_digits(part, count):
    folder = os.path.join(os.environ["TORCHCLINIC_DATA"], "mnist")
    with gzip.open(os.path.join(folder, part + "-images-idx3-ubyte.gz")) as f:
        f.read(16)
        pixels = np.frombuffer(f.read(count * 784), np.uint8).astype("float32")
    with gzip.open(os.path.join(folder, part + "-labels-idx1-ubyte.gz")) as f:
        f.read(8)
        labels = np.frombuffer(f.read(count), np.uint8).astype("int64")
    images = torch.from_numpy(pixels).reshape(count, 1, 28, 28).sub(0.1307 * 255).div(0.3081 * 255)
    return images, torch.from_numpy(labels)


class DeepNet(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.inp = nn.Linear(784, widths[0])
        self.hidden = [nn.Linear(a, b) for a, b in zip(widths, widths[1:])]
        self.out = nn.Linear(widths[-1], 10)

    def forward(self, x):
        x = torch.relu(self.inp(x.flatten(1)))
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.out(x)


def main():
    torch.manual_seed(7)
    loader = DataLoader(TensorDataset(*load_digits("train", 3000)), batch_size=60, shuffle=True)
    tx, ty = load_digits("t10k", 500)
    model = DeepNet([96, 64, 48])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(3):
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (model(tx).argmax(1) == ty).float().mean().item()
        print(f"{epoch}: loss {loss.item():.3f}, test accuracy {accuracy:.3f}")


main()
