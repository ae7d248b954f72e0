import torch
import torch.nn as nn


class Attention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.to_qkv = nn.Linear(dim, dim * 3, bias=False)
        self.scale = dim**-0.5

    def forward(self, x):
        q, k, v = self.to_qkv(x).split(3, dim=-1)
        attn = (q @ k.transpose(-2, -1) * self.scale).softmax(dim=-1)
        return attn @ v


attention = Attention(32)
out = attention(torch.randn(2, 7, 32))
