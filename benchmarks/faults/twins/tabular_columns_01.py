"""Standardize the columns of a table inside the network."""
import torch
from torch import nn


class Standardize(nn.Module):
    def __init__(self, table):
        super().__init__()
        self.register_buffer("mean", table.mean(0))
        self.register_buffer("std", table.std(0))

    def forward(self, x):
        return (x - self.mean) / self.std.clamp(min=1e-6)


def table(n):
    x = torch.randn(n, 6) * torch.tensor([1.0, 20.0, 0.1, 5.0, 0.0, 2.0]) + torch.tensor([0.0, 100.0, 1.0, -3.0, 4.0, 8.0])
    y = x[:, :1] + (x[:, 1:2] - 100) / 20 * (x[:, 3:4] + 3) / 5
    return x, y + 0.05 * torch.randn(n, 1)


torch.manual_seed(2)
x, y = table(1500)
tx, ty = table(300)
model = nn.Sequential(Standardize(x), nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
for epoch in range(8):
    for pick in torch.randperm(1500).split(50):
        loss = nn.functional.mse_loss(model(x[pick]), y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(f"epoch {epoch} loss {loss.item():.3f} test {nn.functional.mse_loss(model(tx), ty).item():.3f}")
