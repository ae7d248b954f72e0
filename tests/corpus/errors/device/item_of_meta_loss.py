import torch
from torch import nn

device = torch.device("meta")
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)).to(device)
log = []


def dry_run(steps):
    for _ in range(steps):
        x = torch.randn(32, 8, device=device)
        y = torch.randn(32, 1, device=device)
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        log.append(loss.item())


dry_run(2)
