import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, d_model, seq_len):
        super().__init__()
        self.attn = nn.MultiheadAttention(d_model, num_heads=4, batch_first=True)
        self.norm = nn.LayerNorm(seq_len)
        self.ff = nn.Sequential(nn.Linear(d_model, 4 * d_model), nn.GELU(), nn.Linear(4 * d_model, d_model))

    def forward(self, x):
        attended, _ = self.attn(x, x, x)
        x = self.norm(x + attended)
        return x + self.ff(x)


block = Block(d_model=32, seq_len=10)
y = block(torch.randn(4, 10, 32))
