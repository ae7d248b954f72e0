import torch
from torch import nn

in_channels, base = 1, 4
model = nn.Sequential(
    nn.Conv2d(in_channels, base, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(base, base, 3, padding=1),
    nn.ReLU,
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(base * 4 * 4, 10),
)
scores = model(torch.rand(3, in_channels, 8, 8))
