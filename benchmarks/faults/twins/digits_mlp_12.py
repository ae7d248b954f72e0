"""Continue the training of a stored digit network at a lower rate."""
import gzip
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def read_idx(name, count, size):
    skip = 16 if "images" in name else 8
    with gzip.open(Path(os.environ["TORCHCLINIC_DATA"]) / "mnist" / name) as file:
        return np.frombuffer(file.read(skip + count * size), dtype=np.uint8, offset=skip)


def load_digits(part, count):
    images = torch.tensor(read_idx(f"{part}-images-idx3-ubyte.gz", count, 784))
    labels = torch.tensor(read_idx(f"{part}-labels-idx1-ubyte.gz", count, 1)).long()
    images = images.view(-1, 1, 28, 28).float().sub(0.1307 * 255).div(0.3081 * 255)
    return images, labels


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(784, 96), nn.ReLU(), nn.Linear(96, 10))

    def forward(self, x):
        return self.layers(x.flatten(1))


def weights_init(m):
    if isinstance(m, nn.Linear):
        nn.init.xavier_uniform_(m.weight)
        m.bias.data.zero_()


def fit(model, loader, lr, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()


def report(name, model, x, y):
    with torch.no_grad():
        out = model(x)
    print(f"{name}: loss {nn.functional.cross_entropy(out, y):.3f} accuracy {(out.argmax(1) == y).float().mean():.3f}")


torch.manual_seed(0)
x, y = load_digits("train", 4000)
tx, ty = load_digits("t10k", 500)
first = Digits()
first.apply(weights_init)
fit(first, DataLoader(TensorDataset(x[:3000], y[:3000]), batch_size=64, shuffle=True), 0.05, 2)
report("first part", first, tx, ty)
with tempfile.NamedTemporaryFile(suffix=".pt") as file:
    torch.save(first.state_dict(), file.name)
    model = Digits()
    model.apply(weights_init)
    model.load_state_dict(torch.load(file.name))
fit(model, DataLoader(TensorDataset(x[3000:], y[3000:]), batch_size=64, shuffle=True), 0.001, 1)
report("second part", model, tx, ty)
