"""Digits: three ReLU layers and Adam."""
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


torch.manual_seed(0)
model = nn.Sequential(
    nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
)
loader = DataLoader(TensorDataset(*load_digits("train", 3000)), batch_size=64, shuffle=True)
test_x, test_y = load_digits("t10k", 500)
optimizer = torch.optim.Adam(model.parameters(), lr=0.3)
for epoch in range(3):
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        active = (model[:7](test_x) > 0).any(0).float().mean()
        accuracy = (model(test_x).argmax(1) == test_y).float().mean()
    print(f"epoch {epoch} loss {loss.item():.3f} units in use {active:.2f} accuracy {accuracy:.3f}")
