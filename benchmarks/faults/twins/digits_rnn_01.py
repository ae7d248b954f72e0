"""Read digit images row by row with a recurrent network."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
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


class RowReader(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.rnn = nn.GRU(28, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 10)

    def forward(self, images):
        out, _ = self.rnn(images.squeeze(1))
        return self.fc(out[:, -1])


def train_one_epoch(model, loader, optimizer, criterion):
    model.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


def main():
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(*load_digits("train", 2000)), batch_size=64, shuffle=True)
    test_images, test_labels = load_digits("t10k", 500)
    model = RowReader()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(3):
        loss = train_one_epoch(model, loader, optimizer, nn.CrossEntropyLoss())
        model.eval()
        with torch.no_grad():
            accuracy = (model(test_images).argmax(1) == test_labels).float().mean()
        print(f"epoch {epoch}: train loss {loss:.3f}, test accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
