import numpy as np
import torch
import torch.nn as nn


class ColorNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.stem(x).relu()
        return self.head(x.mean(dim=(2, 3)))


def read_images(count):
    return np.random.default_rng(1).random((count, 32, 32, 3), dtype=np.float32)


photos = read_images(8)
inputs = torch.from_numpy(photos)
net = ColorNet()
outputs = net(inputs)
