"""Slow, medium or fast? An LSTM classifies oscillations."""
import torch
from torch import nn

torch.manual_seed(9)


def waves(n):
    kind = torch.randint(3, (n,))
    t = torch.arange(24).float()
    x = torch.sin((0.2 + 0.3 * kind.float())[:, None] * t + 6.28 * torch.rand(n, 1)) + 0.2 * torch.randn(n, 24)
    return x.unsqueeze(-1), kind


lstm = nn.LSTM(1, 32, batch_first=True)
head = nn.Linear(32, 3)
optimizer = torch.optim.Adam(lstm.parameters(), lr=5e-3)


def classify(x):
    states, _ = lstm(x)
    return torch.tanh(head(states[:, -1]))


tx, ty = waves(300)
for step in range(201):
    x, y = waves(64)
    loss = nn.functional.cross_entropy(classify(x), y)
    lstm.zero_grad()
    head.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        with torch.no_grad():
            accuracy = (classify(tx).argmax(1) == ty).float().mean()
        print(f"step {step} loss {loss.item():.3f} accuracy {accuracy:.3f}")
