import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
scaler = torch.amp.GradScaler("cpu")


def train_batch(x, y):
    opt.zero_grad()
    with torch.autocast("cpu"):
        loss = nn.functional.cross_entropy(net(x), y)
    scaler.scale(loss).backward()
    opt.step()
    scaler.update()
    return loss.item()


losses = [train_batch(torch.randn(10, 4), torch.randint(0, 2, (10,))) for _ in range(3)]
