"""A causal language model on counting sequences of different lengths."""
import torch
from torch import nn
import torch.nn.functional as F

VOCAB, LENGTH = 12, 14


class CausalAttention(nn.Module):
    def __init__(self, width, heads=4):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("future", torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1))

    def forward(self, x):
        b, t, w = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / (w // self.heads) ** 0.5
        scores = scores.masked_fill(self.future[:t, :t], float("-inf"))
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, w))


class LM(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.token, self.place = nn.Embedding(VOCAB, width), nn.Embedding(LENGTH, width)
        self.norm, self.attention = nn.LayerNorm(width), CausalAttention(width)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))
        self.head = nn.Linear(width, VOCAB)

    def forward(self, x):
        h = self.token(x) + self.place(torch.arange(x.shape[1]))
        h = h + self.attention(self.norm(h))
        return self.head(h + self.mlp(h))


def sequences(n):
    start, stride = torch.randint(VOCAB, (n, 1)), torch.randint(1, 4, (n, 1))
    full = (start + stride * torch.arange(LENGTH + 1)) % VOCAB
    x, y = full[:, :-1].clone(), full[:, 1:].clone()
    beyond = torch.arange(LENGTH) >= torch.randint(5, LENGTH + 1, (n, 1))
    x[beyond] = 0
    y[beyond] = -100
    y[:, 0] = -100
    return x, y


torch.manual_seed(0)
model = LM()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for step in range(201):
    x, y = sequences(32)
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten(), ignore_index=-100)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step} loss {loss.item():.3f}")
