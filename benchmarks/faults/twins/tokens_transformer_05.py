"""How many different symbols are in a sequence? Two attention blocks."""
import torch
from torch import nn

SYMBOLS, LENGTH = 8, 8


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Counter(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, width)
        self.first, self.second = Block(width), Block(width)
        self.out = nn.Linear(width, SYMBOLS)

    def forward(self, tokens):
        h = self.first(self.embed(tokens))
        self.first_output = h.detach()
        return self.out(self.second(h).mean(1))


def draw(n):
    tokens = torch.randint(SYMBOLS, (n, LENGTH))
    present = nn.functional.one_hot(tokens, SYMBOLS).amax(1)
    return tokens, present.sum(1) - 1


torch.manual_seed(0)
model = Counter()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
vx, vy = draw(400)
for step in range(301):
    x, y = draw(64)
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        with torch.no_grad():
            accuracy = (model(vx).argmax(1) == vy).float().mean()
        print(f"step {step} loss {loss.item():.3f} accuracy {accuracy:.3f} spread {model.first_output.std():.2f}")
