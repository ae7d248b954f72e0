"""A stack of dropout layers for digits."""
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


class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(784, 96)
        self.middle = [nn.Linear(96, 96) for _ in range(2)]
        self.drop = nn.Dropout(0.4)
        self.last = nn.Linear(96, 10)

    def forward(self, x):
        x = torch.relu(self.first(x.flatten(1)))
        for layer in self.middle:
            x = self.drop(torch.relu(layer(x)))
        return self.last(x)


torch.manual_seed(0)
loader = DataLoader(TensorDataset(*load_digits("train", 2500)), batch_size=50, shuffle=True)
test_x, test_y = load_digits("t10k", 500)
model = Stack()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(3):
    model.train()
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (model(test_x).argmax(1) == test_y).float().mean()
    print(f"epoch {epoch} loss {loss.item():.3f} accuracy {accuracy:.3f}")
