"""An autoencoder for digits in a compact number format."""
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
    x = torch.tensor(np.frombuffer(raw, np.uint8), dtype=torch.float32).div(255)
    y = torch.tensor(np.frombuffer(marks, np.uint8), dtype=torch.long)
    return x.view(count, 1, 28, 28), y


DTYPE = torch.float32
WEIGHT = 0.01
torch.manual_seed(0)
images = load_digits("train", 2000)[0].flatten(1).to(DTYPE)
held_out = load_digits("t10k", 300)[0].flatten(1).to(DTYPE)
model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 784), nn.Sigmoid()).to(DTYPE)
optimizer = torch.optim.SGD(model.parameters(), lr=500.0, momentum=0.9)
for epoch in range(5):
    for pick in torch.randperm(2000).split(200):
        x = images[pick]
        loss = WEIGHT * nn.functional.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        error = nn.functional.mse_loss(model(held_out).float(), held_out.float())
    print(f"epoch {epoch} loss {loss.item() / WEIGHT:.4f} held out {error:.4f}")
