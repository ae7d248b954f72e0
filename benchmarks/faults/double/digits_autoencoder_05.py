"""Autoencoder on standardized digits."""
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


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(784, 96), nn.ReLU(), nn.Linear(96, 24))
        self.dec = nn.Sequential(nn.Linear(24, 96), nn.ReLU(), nn.Linear(96, 784))

    def forward(self, x):
        code = self.enc(x).detach()
        return torch.sigmoid(self.dec(code))


torch.manual_seed(0)
loader = DataLoader(TensorDataset(load_digits("train", 2400)[0].flatten(1)), batch_size=60, shuffle=True)
held_out = load_digits("t10k", 300)[0].flatten(1)
model = AutoEncoder()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(3):
    for (x,) in loader:
        loss = nn.functional.mse_loss(model(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        error = nn.functional.mse_loss(model(held_out), held_out) / held_out.var()
    print(f"epoch {epoch} error relative to variance {error:.3f}")
