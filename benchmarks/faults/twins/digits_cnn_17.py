"""Batch-normalized digit network."""
import gzip
import os
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


def unit(cin, cout):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, stride=2, bias=False),
        nn.BatchNorm2d(cout),
        nn.ReLU(),
    )


torch.manual_seed(0)
loader = DataLoader(TensorDataset(*load_digits("train", 2000)), batch_size=50, shuffle=True)
test_x, test_y = load_digits("t10k", 400)
net = nn.Sequential(unit(1, 8), unit(8, 16), unit(16, 32), nn.Flatten(), nn.Linear(128, 10))
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(3):
    net.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        out = net(test_x)
    print(f"epoch {epoch} training loss {loss.item():.3f} test loss {nn.functional.cross_entropy(out, test_y):.3f} "
          f"accuracy {(out.argmax(1) == test_y).float().mean():.3f}")
