"""Fully connected digit classifier in a few lines."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn


def read_idx(name, count, size):
    skip = 16 if "images" in name else 8
    with gzip.open(Path(os.environ["TORCHCLINIC_DATA"]) / "mnist" / name) as file:
        return np.frombuffer(file.read(skip + count * size), dtype=np.uint8, offset=skip)


def load_digits(part, count):
    images = torch.tensor(read_idx(f"{part}-images-idx3-ubyte.gz", count, 784))
    labels = torch.tensor(read_idx(f"{part}-labels-idx1-ubyte.gz", count, 1)).long()
    images = images.view(-1, 1, 28, 28).float().sub(0.1307 * 255).div(0.3081 * 255)
    return images, labels


torch.manual_seed(13)
x_train, y_train = load_digits("train", 3000)
x_test, y_test = load_digits("t10k", 500)
x_train, x_test = x_train.flatten(1), x_test.flatten(1)

model = nn.Sequential(
    nn.Linear(784, 100),
    nn.BatchNorm1d(100),
    nn.ReLU(),
    nn.Linear(100, 10),
)
cost = nn.CrossEntropyLoss()
sgd = torch.optim.SGD(model.parameters(), lr=0.1)

for epoch in range(3):
    model.train()
    for rows in torch.randperm(3000).split(60):
        y_hat = model(x_train[rows])
        error = cost(y_hat, y_train[rows])
        sgd.zero_grad()
        error.backward()
        sgd.step()
    model.eval()
    with torch.no_grad():
        y_hat = model(x_test)
    print(epoch, f"cost {cost(y_hat, y_test).item():.3f}", f"accuracy {(y_hat.argmax(1) == y_test).float().mean():.3f}")
