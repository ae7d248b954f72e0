"""Solve u' = -2 t u with u(0) = 1 by a small network."""
import torch
from torch import nn

torch.manual_seed(0)
t = torch.linspace(0, 1.5, 60).unsqueeze(1).requires_grad_()
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
nn.init.zeros_(net[-1].weight)
nn.init.zeros_(net[-1].bias)
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
exact = torch.exp(-(t.detach() ** 2))
for step in range(601):
    u = 1 + t * net(t)
    slope = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
    loss = ((slope + 2 * t * u) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 150 == 0:
        print(f"step {step} residual {loss.item():.5f} distance from the solution {(u.detach() - exact).abs().max():.4f}")
