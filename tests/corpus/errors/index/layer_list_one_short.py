import torch
from torch import nn


class DeepNet(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.depth = depth
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        for i in range(self.depth):
            x = torch.tanh(self.layers[i](x))
        return self.out(x)


deep = DeepNet(16, depth=4)
y = deep(torch.randn(5, 16))
