"""A deep and narrow network for digits."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


DATA = Path(os.environ["TORCHCLINIC_DATA"], "mnist")


def load_digits(part, count):
    raw = gzip.open(DATA / f"{part}-images-idx3-ubyte.gz").read(16 + 784 * count)[16:]
    marks = gzip.open(DATA / f"{part}-labels-idx1-ubyte.gz").read(8 + count)[8:]
    x = torch.tensor(np.frombuffer(raw, np.uint8), dtype=torch.float32).sub(0.1307 * 255).div(0.3081 * 255)
    y = torch.tensor(np.frombuffer(marks, np.uint8), dtype=torch.long)
    return x.view(count, 1, 28, 28), y


DEPTH, WIDTH = 8, 64
torch.manual_seed(0)
layers = [nn.Flatten()]
for i in range(DEPTH):
    linear = nn.Linear(784 if i == 0 else WIDTH, WIDTH)
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.zeros_(linear.bias)
    layers += [linear, nn.Tanh()]
model = nn.Sequential(*layers, nn.Linear(WIDTH, 10))
loader = DataLoader(TensorDataset(*load_digits("train", 3000)), batch_size=64, shuffle=True)
test_x, test_y = load_digits("t10k", 500)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
for epoch in range(3):
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (model(test_x).argmax(1) == test_y).float().mean()
    print(f"epoch {epoch} loss {loss.item():.3f} accuracy {accuracy:.3f}")
