import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(3)
G = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))
D = nn.Sequential(nn.Linear(3, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
g_optim = torch.optim.RMSprop(G.parameters(), lr=1e-4)
d_optim = torch.optim.RMSprop(D.parameters(), lr=1e-4)


def train_step(samples):
    noise = torch.randn(samples.size(0), 4)
    generated = G(noise)
    on_real, on_fake = D(samples), D(generated.detach())
    loss_g = F.softplus(-D(generated)).mean()
    loss_d = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()

    d_optim.zero_grad()
    loss_d.backward()
    d_optim.step()

    g_optim.zero_grad()
    loss_g.backward()
    g_optim.step()
    return loss_d.item(), loss_g.item()


history = [train_step(torch.randn(16, 3)) for _ in range(5)]
