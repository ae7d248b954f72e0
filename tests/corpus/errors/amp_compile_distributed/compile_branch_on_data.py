import torch
from torch import nn


class Clipper(nn.Module):
    def __init__(self, limit):
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.limit = limit

    def forward(self, x):
        y = self.linear(x)
        norm = y.norm()
        if norm > self.limit:
            y = y * (self.limit / norm)
        return y


clipper = torch.compile(Clipper(limit=1.0), backend="eager", fullgraph=True)
out = clipper(torch.randn(4, 8))
