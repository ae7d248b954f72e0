"""Digits stored pixel-first, fed in random batches."""
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


torch.manual_seed(0)
images, labels = load_digits("train", 8000)
pixels = images.flatten(1).t().contiguous().view(28, 28, 8000)
flat = pixels.permute(2, 0, 1).contiguous().view(8000, 784)
test_x, test_y = load_digits("t10k", 500)
model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(101):
    pick = torch.randint(8000, (64,))
    x = flat[pick]
    loss = nn.functional.cross_entropy(model(x), labels[pick])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 25 == 0:
        with torch.no_grad():
            accuracy = (model(test_x.flatten(1)).argmax(1) == test_y).float().mean()
        print(f"step {step} loss {loss.item():.3f} accuracy {accuracy:.3f}")
