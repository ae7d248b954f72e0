"""Digits with random shifts and noise, loaded by two workers."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


DATA = Path(os.environ["TORCHCLINIC_DATA"], "mnist")


def load_digits(part, count):
    raw = gzip.open(DATA / f"{part}-images-idx3-ubyte.gz").read(16 + 784 * count)[16:]
    marks = gzip.open(DATA / f"{part}-labels-idx1-ubyte.gz").read(8 + count)[8:]
    x = torch.tensor(np.frombuffer(raw, np.uint8), dtype=torch.float32).sub(0.1307 * 255).div(0.3081 * 255)
    y = torch.tensor(np.frombuffer(marks, np.uint8), dtype=torch.long)
    return x.view(count, 1, 28, 28), y


class NoisyDigits(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images, labels
        self.rng = np.random.default_rng(0)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        noise = 0.5 * torch.randn(1, 28, 28)
        return self.images[i] + noise, self.labels[i], noise.sum()


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    loader = DataLoader(NoisyDigits(*load_digits("train", 1200)), batch_size=40, shuffle=True, num_workers=2)
    test_x, test_y = load_digits("t10k", 300)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(3):
        draws = []
        for x, y, mark in loader:
            draws += mark.tolist()
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (model(test_x).argmax(1) == test_y).float().mean()
        print(f"epoch {epoch} loss {loss.item():.3f} accuracy {accuracy:.3f} different draws {len(set(draws))} of {len(draws)}")


if __name__ == "__main__":
    main()
