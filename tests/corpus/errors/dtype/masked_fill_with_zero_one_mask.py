import torch
from torch import nn


class Pooling(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, states, padding):
        scores = self.score(states).squeeze(-1)
        scores = scores.masked_fill(padding, -1e9)
        weights = scores.softmax(dim=1)
        return (weights.unsqueeze(-1) * states).sum(dim=1)


padding = torch.zeros(3, 6)
padding[0, 4:] = 1
padding[2, 2:] = 1
pooled = Pooling(16)(torch.randn(3, 6, 16), padding)
