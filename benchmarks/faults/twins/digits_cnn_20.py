"""Digits with a validation split."""
import gzip
import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset


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


torch.manual_seed(0)
data = TensorDataset(*load_digits("train", 2500))
order = torch.randperm(2500).tolist()
train, valid = Subset(data, order[:2000]), Subset(data, order[2000:])
train_loader = DataLoader(train, batch_size=50, shuffle=True)
valid_loader = DataLoader(valid, batch_size=100)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10)
)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(3):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = sum((model(x).argmax(1) == y).sum().item() for x, y in valid_loader) / len(valid)
    print(f"epoch {epoch} loss {loss.item():.3f} validation accuracy {accuracy:.3f}")
