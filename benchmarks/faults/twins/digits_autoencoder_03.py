"""Autoencoder that keeps one reconstruction per step to make a film of the training."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn


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
images = load_digits("train", 2000)[0].flatten(1)
held_out = load_digits("t10k", 300)[0].flatten(1)
model = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 784), nn.Sigmoid())
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
film = []
for epoch in range(4):
    for pick in torch.randperm(2000).split(100):
        batch = images[pick]
        rebuilt = model(batch)
        loss = nn.functional.mse_loss(rebuilt, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        film.append(rebuilt.detach()[0].clone())
    with torch.no_grad():
        error = nn.functional.mse_loss(model(held_out), held_out)
    held = sum(frame.untyped_storage().nbytes() for frame in film)
    print(f"epoch {epoch} error {error:.4f} film of {len(film)} frames, {held / 1e6:.1f} MB")
