"""A student learns from a few labels and from the average of its own past weights."""
import copy
import gzip
import os

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F


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
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))

    def forward(self, x):
        return self.body(x)


@torch.no_grad()
def update_average(teacher, student, decay):
    for old, new in zip(teacher.parameters(), student.parameters()):
        old.mul_(decay).add_(new, alpha=1 - decay)


torch.manual_seed(0)
images, labels = load_digits("train", 3000)
test_x, test_y = load_digits("t10k", 500)
student = Net()
teacher = copy.deepcopy(student).requires_grad_(False).eval()
optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
for epoch in range(4):
    student.train()
    for pick in torch.randperm(3000).split(75):
        known = pick[:25]
        with torch.no_grad():
            target = F.softmax(teacher(images[pick]), dim=1)
        logits = student(images[pick])
        loss = F.cross_entropy(logits[:25], labels[known])
        loss = loss + 0.5 * epoch * F.mse_loss(F.softmax(logits, dim=1), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        update_average(teacher, student, 0.95)
    with torch.no_grad():
        accuracy = (teacher(test_x).argmax(1) == test_y).float().mean()
    print(f"epoch {epoch} loss {loss.item():.3f} teacher accuracy {accuracy:.3f}")
