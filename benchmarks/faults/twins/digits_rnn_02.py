"""Digit rows through an LSTM with a decaying rate."""
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


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(28, 48, batch_first=True)
        self.fc = nn.Linear(48, 10)

    def forward(self, x):
        return self.fc(self.lstm(x.squeeze(1))[0][:, -1])


def epoch_of_training(model, loader, optimizer, scheduler):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    scheduler.step()
    return total / len(loader)


torch.manual_seed(0)
loader = DataLoader(TensorDataset(*load_digits("train", 1800)), batch_size=60, shuffle=True)
test_x, test_y = load_digits("t10k", 400)
model = Rows()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.7)
for epoch in range(4):
    loss = epoch_of_training(model, loader, optimizer, scheduler)
    model.eval()
    with torch.no_grad():
        accuracy = (model(test_x).argmax(1) == test_y).float().mean()
    print(f"epoch {epoch} loss {loss:.3f} accuracy {accuracy:.3f} rate {scheduler.get_last_lr()[0]:.2g}")
