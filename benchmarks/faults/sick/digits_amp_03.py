"""Digits with automatic mixed precision."""
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


class AmpTrainer:
    def __init__(self, model, rate):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    def step(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(self.model(x), y)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        self.scaler.update()
        return loss.item()


torch.manual_seed(0)
loader = DataLoader(TensorDataset(*load_digits("train", 2400)), batch_size=60, shuffle=True)
test_x, test_y = load_digits("t10k", 500)
trainer = AmpTrainer(nn.Sequential(nn.Flatten(), nn.Linear(784, 80), nn.ReLU(), nn.Linear(80, 10)), rate=0.05)
for epoch in range(3):
    mean = sum(trainer.step(x, y) for x, y in loader) / len(loader)
    with torch.no_grad():
        accuracy = (trainer.model(test_x).argmax(1) == test_y).float().mean()
    print(f"epoch {epoch} loss {mean:.3f} accuracy {accuracy:.3f}")
