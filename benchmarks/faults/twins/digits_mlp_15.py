"""Digits, stochastic gradient descent."""
import gzip
import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load_digits(part, count):
    folder = os.path.join(os.environ["TORCHCLINIC_DATA"], "mnist")
    with gzip.open(os.path.join(folder, part + "-images-idx3-ubyte.gz")) as f:
        f.read(16)
        pixels = np.frombuffer(f.read(count * 784), np.uint8).astype("float32")
    with gzip.open(os.path.join(folder, part + "-labels-idx1-ubyte.gz")) as f:
        f.read(8)
        labels = np.frombuffer(f.read(count), np.uint8).astype("int64")
    images = torch.from_numpy(pixels).reshape(count, 1, 28, 28)
    return images, torch.from_numpy(labels)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(784, 128)
        self.b = nn.Linear(128, 64)
        self.c = nn.Linear(64, 10)

    def forward(self, x):
        x = x.flatten(1)
        x = (x / 255 - 0.1307) / 0.3081
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))


torch.manual_seed(0)
loader = DataLoader(TensorDataset(*load_digits("train", 3000)), batch_size=64, shuffle=True)
test_x, test_y = load_digits("t10k", 500)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for epoch in range(3):
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (net(test_x).argmax(1) == test_y).float().mean()
    print(f"epoch {epoch} loss {loss.item():.3f} accuracy {accuracy:.3f}")
