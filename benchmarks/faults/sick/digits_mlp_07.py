"""Digits: hidden layer of 300 and our own starting values."""
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


def build():
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 10))
    nn.init.kaiming_normal_(model[1].weight, nonlinearity="relu")
    nn.init.zeros_(model[1].bias)
    nn.init.normal_(model[3].weight)
    nn.init.zeros_(model[3].bias)
    return model


torch.manual_seed(0)
loader = DataLoader(TensorDataset(*load_digits("train", 3000)), batch_size=64, shuffle=True)
test_x, test_y = load_digits("t10k", 500)
model = build()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
criterion = nn.CrossEntropyLoss()
step = 0
for epoch in range(3):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        if step == 0:
            print(f"first loss {loss.item():.3f}")
        step += 1
    with torch.no_grad():
        out = model(test_x)
    print(f"epoch {epoch} test loss {criterion(out, test_y):.3f} accuracy {(out.argmax(1) == test_y).float().mean():.3f}")
