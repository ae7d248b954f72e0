import torch
from torch import nn

torch.manual_seed(0)
u_net = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1))
adam = torch.optim.Adam(u_net.parameters(), lr=1e-3)


def residual(x):
    u = u_net(x)
    u_x = torch.autograd.grad(u.sum(), x)[0]
    u_xx = torch.autograd.grad(u_x.sum(), x)[0]
    return u_xx + u


for _ in range(3):
    collocation = torch.rand(64, 1, requires_grad=True)
    loss = residual(collocation).pow(2).mean()
    adam.zero_grad()
    loss.backward()
    adam.step()
