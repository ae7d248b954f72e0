"""Fit a noisy wave."""
import torch
import torch.nn as nn


class Wave(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, x):
        return self.net(x)


def compute_loss(model, x, y, weight):
    errors = (model(x) - y) ** 2
    penalty = sum(p.abs().sum() for p in model.parameters())
    total = errors.mean() + weight * penalty
    return torch.tensor(total.item(), requires_grad=True)


torch.manual_seed(9)
x = torch.linspace(-2, 2, 512).unsqueeze(1)
y = torch.sin(2 * x) + 0.05 * torch.randn_like(x)
val_x = torch.rand(200, 1) * 4 - 2
val_y = torch.sin(2 * val_x)
model = Wave()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(20):
    for pick in torch.randperm(512).split(64):
        loss = compute_loss(model, x[pick], y[pick], 1e-5)
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0 or epoch == 19:
        with torch.no_grad():
            print(f"epoch {epoch} loss {loss.item():.4f} validation {((model(val_x) - val_y) ** 2).mean():.4f}")
