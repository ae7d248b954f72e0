"""Keep the weights of the best epoch and use them at the end."""
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


def score(model, x, y):
    model.eval()
    with torch.no_grad():
        return nn.functional.cross_entropy(model(x), y).item()


torch.manual_seed(0)
loader = DataLoader(TensorDataset(*load_digits("train", 600)), batch_size=30, shuffle=True)
valid_x, valid_y = load_digits("t10k", 400)
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
best_loss, best_state = float("inf"), None
for epoch in range(12):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    valid = score(model, valid_x, valid_y)
    if valid < best_loss:
        best_loss = valid
        best_state = {k: v.clone() for k, v in model.state_dict().items()}
    if epoch % 4 == 0:
        print(f"epoch {epoch} validation loss {valid:.4f}")
model.load_state_dict(best_state)
print(f"best seen {best_loss:.4f}, restored {score(model, valid_x, valid_y):.4f}")
