"""Fit a curve with LBFGS on all points at once."""
import torch
from torch import nn

torch.manual_seed(0)
x = torch.linspace(-1, 1, 200).unsqueeze(1)
y = torch.sin(4 * x) * torch.exp(-x) + 0.02 * torch.randn_like(x)
grid = torch.rand(100, 1) * 2 - 1
truth = torch.sin(4 * grid) * torch.exp(-grid)
model = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.8, max_iter=10, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    return loss


for step in range(20):
    loss = optimizer.step(closure)
    if step % 5 == 0 or step == 19:
        with torch.no_grad():
            print(f"step {step} loss {loss.item():.5f} against the true curve {nn.functional.mse_loss(model(grid), truth):.5f}")
