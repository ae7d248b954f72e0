"""Self-attention by hand: which symbol appears twice?"""
import torch
from torch import nn

SYMBOLS, LENGTH = 6, 6


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)

    def forward(self, x):
        b, t, w = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        mixed = (q @ k.transpose(-2, -1) / (w // self.heads) ** 0.5).softmax(-1) @ v
        mixed = mixed.transpose(1, 2).reshape(b, t, w)
        return self.merge(mixed)


class Finder(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, width)
        self.norm = nn.LayerNorm(width)
        self.attend = SelfAttention(width, 4)
        self.feed = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, width))
        self.head = nn.Linear(width, SYMBOLS)

    def forward(self, tokens):
        h = self.embed(tokens)
        h = h + self.attend(self.norm(h))
        h = h + self.feed(h)
        return self.head(h.sum(1))


def draw(n):
    rows = torch.stack([torch.randperm(SYMBOLS) for _ in range(n)])
    rows[:, 0] = rows[:, 1]
    return torch.stack([r[torch.randperm(LENGTH)] for r in rows]), rows[:, 1]


torch.manual_seed(0)
model = Finder()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
valid = draw(300)
print("parameters", sum(p.numel() for p in model.parameters()))
for step in range(121):
    tokens, twice = draw(48)
    loss = nn.functional.cross_entropy(model(tokens), twice)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        with torch.no_grad():
            accuracy = (model(valid[0]).argmax(1) == valid[1]).float().mean()
        print(f"step {step} loss {loss.item():.3f} accuracy {accuracy:.3f}")
