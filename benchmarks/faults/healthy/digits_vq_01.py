"""A digit autoencoder with a small dictionary of codes."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


DATA = Path(os.environ["TORCHCLINIC_DATA"], "mnist")


def load_digits(part, count):
    raw = gzip.open(DATA / f"{part}-images-idx3-ubyte.gz").read(16 + 784 * count)[16:]
    marks = gzip.open(DATA / f"{part}-labels-idx1-ubyte.gz").read(8 + count)[8:]
    x = torch.tensor(np.frombuffer(raw, np.uint8), dtype=torch.float32).div(255)
    y = torch.tensor(np.frombuffer(marks, np.uint8), dtype=torch.long)
    return x.view(count, 1, 28, 28), y


class Quantizer(nn.Module):
    def __init__(self, codes=32, width=8):
        super().__init__()
        self.codes = nn.Parameter(torch.randn(codes, width) * 0.5)

    def forward(self, z):
        nearest = torch.cdist(z, self.codes).argmin(-1)
        q = self.codes[nearest]
        commitment = F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
        return z + (q - z).detach(), commitment


class VQ(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.Unflatten(1, (8, 8)))
        self.quantizer = Quantizer()
        self.decoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 784))

    def forward(self, x):
        q, commitment = self.quantizer(self.encoder(x))
        return self.decoder(q), commitment


torch.manual_seed(0)
loader = DataLoader(TensorDataset(load_digits("train", 3000)[0]), batch_size=60, shuffle=True)
held_out = load_digits("t10k", 300)[0]
model = VQ()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(5):
    for (x,) in loader:
        rebuilt, commitment = model(x)
        loss = F.mse_loss(rebuilt, x.flatten(1)) + commitment
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(f"epoch {epoch} held out {F.mse_loss(model(held_out)[0], held_out.flatten(1)):.4f}")
