"""Convolutional classifier with a negative log-likelihood criterion."""
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


class ConvClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(10, 20, 5), nn.MaxPool2d(2), nn.ReLU(),
            nn.Flatten(), nn.Linear(320, 50), nn.ReLU(), nn.Linear(50, 10),
            nn.LogSoftmax(dim=1),
        )

    def forward(self, x):
        return self.net(x)


torch.manual_seed(0)
loader = DataLoader(TensorDataset(*load_digits("train", 1600)), batch_size=40, shuffle=True)
test_x, test_y = load_digits("t10k", 400)
model = ConvClassifier()
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.5)
nll = nn.NLLLoss()
for epoch in range(3):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = nll(model(x), y)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        out = model(test_x)
    print(f"epoch {epoch}: loss {nll(out, test_y):.4f} accuracy {(out.argmax(1) == test_y).float().mean():.3f}")
