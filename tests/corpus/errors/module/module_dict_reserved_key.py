import torch
from torch import nn


class AttentionParts(nn.Module):
    def __init__(self, dim):
        super().__init__()
        names = ("queries", "keys", "values")
        self.project = nn.ModuleDict({name: nn.Linear(dim, dim) for name in names})

    def forward(self, x):
        q, k, v = (layer(x) for layer in self.project.values())
        return torch.softmax(q @ k.transpose(-2, -1) / q.size(-1) ** 0.5, dim=-1) @ v


parts = AttentionParts(16)
mixed = parts(torch.randn(2, 5, 16))
