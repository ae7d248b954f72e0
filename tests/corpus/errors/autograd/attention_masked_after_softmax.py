import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens, padding):
        q, k, v = self.qkv(tokens).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.size(-1))
        weights = scores.softmax(dim=-1)
        weights.masked_fill_(padding[:, None, :], 0.0)
        return self.proj(weights @ v)


torch.manual_seed(0)
layer = SelfAttention(12)
tokens = torch.randn(2, 6, 12)
padding = torch.tensor([[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1]], dtype=torch.bool)
out = layer(tokens, padding)
out.pow(2).mean().backward()
