"""Digit classifier, validated after each epoch."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
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


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 5, stride=2, padding=2)
        self.bn = nn.BatchNorm2d(16)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(16 * 49, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn(self.conv(x))), 2)
        return self.fc(self.drop(x.flatten(1)))


def validate(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
    model.train()
    return correct / len(loader.dataset)


torch.manual_seed(0)
train_loader = DataLoader(TensorDataset(*load_digits("train", 2000)), batch_size=50, shuffle=True)
valid_loader = DataLoader(TensorDataset(*load_digits("t10k", 500)), batch_size=50)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
for epoch in range(3):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.3f} validation accuracy {validate(model, valid_loader):.3f}")
