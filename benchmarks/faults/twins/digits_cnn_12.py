"""Six convolutions and a linear layer for digits."""
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
    images = torch.from_numpy(pixels).reshape(count, 1, 28, 28).sub(0.1307 * 255).div(0.3081 * 255)
    return images, torch.from_numpy(labels)


def init_weights(m):
    if isinstance(m, nn.Conv2d):
        nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
        nn.init.zeros_(m.bias)


torch.manual_seed(0)
body = []
for cin, cout, stride in [(1, 8, 2), (8, 12, 1), (12, 16, 2), (16, 16, 1), (16, 24, 2), (24, 24, 1)]:
    body += [nn.Conv2d(cin, cout, 3, stride=stride, padding=1), nn.ReLU()]
model = nn.Sequential(*body, nn.Flatten(), nn.Linear(24 * 16, 10))
model.apply(init_weights)
loader = DataLoader(TensorDataset(*load_digits("train", 2000)), batch_size=50, shuffle=True)
test_x, test_y = load_digits("t10k", 400)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(2):
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        out = model(test_x)
    print(f"epoch {epoch} loss {nn.functional.cross_entropy(out, test_y):.3f} accuracy {(out.argmax(1) == test_y).float().mean():.3f}")
