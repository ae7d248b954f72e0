"""A ten-layer ReLU network for digits."""
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


def make_layer(fan_in, fan_out):
    layer = nn.Linear(fan_in, fan_out)
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class Deep(nn.Module):
    def __init__(self, depth=10, width=64):
        super().__init__()
        self.layers = nn.ModuleList([make_layer(784, width)] + [make_layer(width, width) for _ in range(depth - 1)])
        self.out = nn.Linear(width, 10)

    def forward(self, x):
        x = x.flatten(1)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.out(x)


torch.manual_seed(0)
loader = DataLoader(TensorDataset(*load_digits("train", 3000)), batch_size=64, shuffle=True)
test_x, test_y = load_digits("t10k", 500)
net = Deep()
optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
for epoch in range(3):
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        out = net(test_x)
    print(f"epoch {epoch} loss {nn.functional.cross_entropy(out, test_y):.3f} accuracy {(out.argmax(1) == test_y).float().mean():.3f}")
