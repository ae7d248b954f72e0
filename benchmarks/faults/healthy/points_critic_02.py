"""Generate a cross of points with a critic and a gradient penalty."""
import torch
from torch import nn


def real(n):
    along = torch.rand(n) * 2 - 1
    flip = torch.rand(n) < 0.5
    x = torch.stack([torch.where(flip, along, 0.0), torch.where(flip, 0.0, along)], 1)
    return x + 0.03 * torch.randn(n, 2) + 1.0


def penalty(critic, a, b):
    mix = torch.rand(len(a), 1)
    between = (mix * a + (1 - mix) * b).requires_grad_()
    slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
    return ((slope.norm(dim=1) - 1) ** 2).mean()


torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
critic = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
opt_g = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.0, 0.9))
opt_c = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.9))
for round_ in range(241):
    for _ in range(3):
        x, fake = real(48), generator(torch.randn(48, 4)).detach()
        loss_c = critic(fake).mean() - critic(x).mean() + 5 * penalty(critic, x, fake)
        opt_c.zero_grad()
        loss_c.backward()
        opt_c.step()
    loss_g = -critic(generator(torch.randn(64, 4))).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    if round_ % 40 == 0:
        with torch.no_grad():
            s = generator(torch.randn(1000, 4))
        print(f"round {round_} critic {loss_c.item():.3f} distance of the means {(s.mean(0) - 1).norm():.3f}")
