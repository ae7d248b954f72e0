"""Adversarial training on a one-dimensional mixture."""
import torch
import torch.nn as nn


class Generator(nn.Module):
    def __init__(self, noise=4):
        super().__init__()
        self.noise = noise
        self.net = nn.Sequential(nn.Linear(noise, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, n):
        return self.net(torch.randn(n, self.noise))


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [nn.Linear(1, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)]
        self.net = nn.Sequential(*layers)

    def forward(self, x):
        return self.net(x)


def real_data(n):
    return torch.where(torch.rand(n, 1) < 0.5, -1.0, 1.0) + 0.2 * torch.randn(n, 1)


torch.manual_seed(0)
G, D = Generator(), Critic()
adv = nn.BCEWithLogitsLoss()
g_optim = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.99))
d_optim = torch.optim.Adam(D.parameters(), lr=2e-3, betas=(0.5, 0.99))
for it in range(601):
    d_optim.zero_grad()
    real_out, fake_out = D(real_data(96)), D(G(96).detach())
    d_loss = adv(real_out, torch.ones_like(real_out)) + adv(fake_out, torch.zeros_like(fake_out))
    d_loss.backward()
    d_optim.step()

    g_optim.zero_grad()
    judged = D(G(96))
    g_loss = adv(judged, torch.ones_like(judged))
    g_loss.backward()
    g_optim.step()
    if it % 100 == 0:
        with torch.no_grad():
            s = G(1000)
        print(f"{it}: d {d_loss.item():.3f} g {g_loss.item():.3f} share near modes {((s.abs() - 1).abs() < 0.5).float().mean():.2f} mean {s.mean():.2f}")
