"""A small generative adversarial network that learns a ring of points."""
import math

import torch
from torch import nn

torch.manual_seed(3)


def sample_real(n):
    angle = torch.rand(n) * 2 * math.pi
    points = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
    return points + 0.05 * torch.randn(n, 2)


generator = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
discriminator = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
opt_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
opt_d = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.9))
bce = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(128, 1), torch.zeros(128, 1)

for step in range(800):
    real = sample_real(128)
    fake = generator(torch.randn(128, 8))

    d_loss = bce(discriminator(real), ones) + bce(discriminator(fake.detach()), zeros)
    d_loss.backward()
    opt_d.step()

    opt_g.zero_grad()
    g_loss = bce(discriminator(fake), ones)
    g_loss.backward()
    opt_g.step()

    if step % 100 == 0 or step == 799:
        with torch.no_grad():
            radius = generator(torch.randn(1000, 8)).norm(dim=1)
        print(f"step {step} d {d_loss.item():.3f} g {g_loss.item():.3f} radius error {(radius - 1).abs().mean():.3f}")
