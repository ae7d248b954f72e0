"""Autoencoder for digits, pixels between 0 and 1."""
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
    images = images.view(-1, 1, 28, 28).float().div(255)
    return images, labels


torch.manual_seed(0)
encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 24))
decoder = nn.Sequential(nn.Linear(24, 128), nn.ReLU(), nn.Linear(128, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
loader = DataLoader(TensorDataset(load_digits("train", 3000)[0]), batch_size=60, shuffle=True)
held_out = load_digits("t10k", 300)[0]
mse = nn.MSELoss()
for epoch in range(5):
    for (x,) in loader:
        loss = mse(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        error = mse(decoder(encoder(held_out)), held_out)
    print(f"epoch {epoch} loss {loss.item():.4f} held out {error:.4f}")
