"""Digits with an effective batch four times the loaded one."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


DATA = Path(os.environ["TORCHCLINIC_DATA"], "mnist")


def load_digits(part, count):
    raw = gzip.open(DATA / f"{part}-images-idx3-ubyte.gz").read(16 + 784 * count)[16:]
    marks = gzip.open(DATA / f"{part}-labels-idx1-ubyte.gz").read(8 + count)[8:]
    x = torch.tensor(np.frombuffer(raw, np.uint8), dtype=torch.float32).sub(0.1307 * 255).div(0.3081 * 255)
    y = torch.tensor(np.frombuffer(marks, np.uint8), dtype=torch.long)
    return x.view(count, 1, 28, 28), y


def main(accumulate=4, epochs=3):
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(*load_digits("train", 2940)), batch_size=20, shuffle=True)
    test_x, test_y = load_digits("t10k", 500)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 96), nn.ReLU(), nn.Linear(96, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        optimizer.zero_grad()
        whole = len(loader) // accumulate * accumulate
        for i, (x, y) in enumerate(loader):
            group = accumulate if i < whole else len(loader) - whole
            loss = criterion(model(x), y)
            (loss / group).backward()
            if (i + 1) % accumulate == 0 or i + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
        with torch.no_grad():
            out = model(test_x)
        print(f"epoch {epoch} loss {criterion(out, test_y):.3f} accuracy {(out.argmax(1) == test_y).float().mean():.3f}")


if __name__ == "__main__":
    main()
