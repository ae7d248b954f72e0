import torch
from torch import nn

tasks = nn.ModuleList(nn.Linear(6, 1) for _ in range(3))
x = torch.randn(12, 6)
ys = [torch.randn(12, 1) for _ in range(3)]


def total_loss():
    losses = [nn.functional.mse_loss(head(x), y) for head, y in zip(tasks, ys, strict=True)]
    return torch.cat(losses).sum()


optimizer = torch.optim.Adam(tasks.parameters(), lr=1e-3)
for _ in range(3):
    optimizer.zero_grad()
    loss = total_loss()
    loss.backward()
    optimizer.step()
