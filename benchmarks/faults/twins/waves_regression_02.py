"""Two sensors, one network: predict both, balance their losses."""
import torch
from torch import nn

torch.manual_seed(17)


def sensors(n):
    t = torch.rand(n, 1) * 6 - 3
    return t, torch.cat([torch.sin(t), 100 * torch.cos(2 * t)], dim=1) + torch.randn(n, 2) * torch.tensor([0.05, 5.0])


net = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
scale = torch.tensor([1.0, 100.0])
t, values = sensors(1024)
vt, vv = sensors(256)


def relative_error(pred, true):
    return (((pred - true / scale)) ** 2).mean()


for epoch in range(30):
    for pick in torch.randperm(1024).split(32):
        loss = relative_error(net(t[pick]), values[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 0 or epoch == 29:
        with torch.no_grad():
            print(f"epoch {epoch}: training loss {loss.item():.4f}, validation {relative_error(net(vt), vv):.4f}")
