"""Same digit or not? A siamese network."""
import gzip
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F


DATA = Path(os.environ["TORCHCLINIC_DATA"], "mnist")


def load_digits(part, count):
    raw = gzip.open(DATA / f"{part}-images-idx3-ubyte.gz").read(16 + 784 * count)[16:]
    marks = gzip.open(DATA / f"{part}-labels-idx1-ubyte.gz").read(8 + count)[8:]
    x = torch.tensor(np.frombuffer(raw, np.uint8), dtype=torch.float32).sub(0.1307 * 255).div(0.3081 * 255)
    y = torch.tensor(np.frombuffer(marks, np.uint8), dtype=torch.long)
    return x.view(count, 1, 28, 28), y


class Embed(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 16))

    def forward(self, x):
        return self.net(x)


def pairs(images, labels, n):
    i = torch.randint(len(labels), (n,))
    same = torch.rand(n) < 0.5
    j = torch.tensor([
        candidates[torch.randint(len(candidates), ())]
        for k, s in zip(i, same)
        for candidates in [(labels == labels[k]).nonzero()[:, 0] if s else (labels != labels[k]).nonzero()[:, 0]]
    ])
    return images[i], images[j], same.float()


def contrastive(a, b, same, margin=1.5):
    d = (a - b).pow(2).sum(1).add(1e-8).sqrt()
    return (same * d**2 + (1 - same) * F.relu(margin - d) ** 2).mean(), d


torch.manual_seed(0)
images, labels = load_digits("train", 2500)
tx, ty = load_digits("t10k", 500)
net = Embed()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
ta, tb, ts = pairs(tx, ty, 400)
for step in range(161):
    a, b, same = pairs(images, labels, 64)
    loss, _ = contrastive(net(a), net(b), same)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        with torch.no_grad():
            value, d = contrastive(net(ta), net(tb), ts)
        print(f"step {step} loss {loss.item():.3f} test {value:.3f} right {((d < 0.75).float() == ts).float().mean():.3f}")
