"""Digits with small batches and gradient accumulation."""
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


ACCUMULATE = 4
torch.manual_seed(0)
loader = DataLoader(TensorDataset(*load_digits("train", 3200)), batch_size=16, shuffle=True)
test_x, test_y = load_digits("t10k", 500)
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()

for epoch in range(3):
    optimizer.zero_grad()
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y) / ACCUMULATE
        loss.backward()
        if i % ACCUMULATE == 0:
            optimizer.step()
        if (i + 1) % ACCUMULATE == 0:
            optimizer.zero_grad()
    with torch.no_grad():
        logits = model(test_x)
    print(f"epoch {epoch} test loss {criterion(logits, test_y):.3f} acc {(logits.argmax(1) == test_y).float().mean():.3f}")
