"""Digits and their stroke width from one network, a backward pass for each answer."""
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


class TwoAnswers(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten())
        self.digit, self.ink = nn.Linear(400, 10), nn.Linear(400, 1)

    def forward(self, x):
        h = self.conv(x)
        return self.digit(h), self.ink(h).squeeze(1)


torch.manual_seed(0)
x, y = load_digits("train", 2000)
tx, ty = load_digits("t10k", 400)
ink, test_ink = x.mean((1, 2, 3)) * 5, tx.mean((1, 2, 3)) * 5
loader = DataLoader(TensorDataset(x, y, ink), batch_size=50, shuffle=True)
model = TwoAnswers()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(3):
    for images, labels, amount in loader:
        optimizer.zero_grad()
        digit, guess = model(images)
        first = nn.functional.cross_entropy(digit, labels)
        first.backward(retain_graph=True)
        second = nn.functional.mse_loss(guess, amount)
        second.backward()
        optimizer.step()
    with torch.no_grad():
        digit, guess = model(tx)
    print(f"epoch {epoch} accuracy {(digit.argmax(1) == ty).float().mean():.3f} ink {nn.functional.mse_loss(guess, test_ink):.3f}")
