import torch
from torch import nn


class Big(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(x)))


def count(model):
    return sum(p.numel() for p in model.parameters())


with torch.device("meta"):
    big = Big()

size = count(big)
y = big(torch.randn(2, 64))
