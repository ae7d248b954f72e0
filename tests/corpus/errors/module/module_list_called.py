import torch
from torch import nn


class DeepNet(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(width, width), nn.GELU()) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        x = self.blocks(x)
        return self.norm(x)


deep = DeepNet(width=24, depth=3)
encoded = deep(torch.randn(10, 24))
