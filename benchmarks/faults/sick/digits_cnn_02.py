"""Digit classifier: a convolutional part and a classifier part."""
import gzip
import os

import numpy as np
import torch
from torch import nn, optim
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


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten()
        )
        self.classifier = nn.Sequential(nn.Linear(400, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        return self.classifier(self.features(x))


def run():
    torch.manual_seed(2)
    train_loader = DataLoader(TensorDataset(*load_digits("train", 3000)), batch_size=64, shuffle=True)
    test_images, test_labels = load_digits("t10k", 500)
    net = Net()
    optimizer = optim.SGD(net.features.parameters(), lr=0.02, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(3):
        net.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = loss_fn(net(images), labels)
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            out = net(test_images)
        acc = (out.argmax(1) == test_labels).float().mean()
        print(f"epoch {epoch} test loss {loss_fn(out, test_labels):.3f} accuracy {acc:.3f}")


if __name__ == "__main__":
    run()
