"""Piecewise regression by a mixture of experts with hard routing."""
import torch
from torch import nn


class Mixture(nn.Module):
    def __init__(self, experts=6):
        super().__init__()
        self.gate = nn.Linear(2, experts)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 1)) for _ in range(experts))

    def forward(self, x):
        weight, chosen = self.gate(x).softmax(-1).max(-1)
        out = torch.zeros(len(x), 1)
        for i, expert in enumerate(self.experts):
            rows = (chosen == i).nonzero().squeeze(1)
            if len(rows):
                out = out.index_add(0, rows, expert(x[rows]) * weight[rows].unsqueeze(1))
        self.used = chosen.unique().tolist()
        return out


def surface(n):
    x = torch.rand(n, 2) * 4 - 2
    y = torch.where(x[:, :1] > 0, x[:, 1:] ** 2, -2 * x[:, 1:])
    return x, y + 0.05 * torch.randn(n, 1)


torch.manual_seed(4)
model = Mixture()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
vx, vy = surface(500)
for step in range(401):
    x, y = surface(64)
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        with torch.no_grad():
            error = nn.functional.mse_loss(model(vx), vy).item()
        print(f"step {step} loss {loss.item():.3f} validation {error:.3f} experts in use {model.used}")
