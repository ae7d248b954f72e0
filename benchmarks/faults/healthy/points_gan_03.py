"""Adversarial network for a tilted ellipse of points."""
import torch
from torch import nn


class Ellipse:
    def __init__(self):
        self.mix = torch.tensor([[1.2, 0.4], [0.0, 0.5]])

    def sample(self, n):
        return torch.randn(n, 2) @ self.mix + torch.tensor([1.0, -1.0])


def mlp(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, outputs))


torch.manual_seed(0)
data, netG, netD = Ellipse(), mlp(4, 2), mlp(2, 1)
optG = torch.optim.Adam(netG.parameters(), lr=1e-3, betas=(0.5, 0.99))
optD = torch.optim.Adam(netD.parameters(), lr=1e-3, betas=(0.5, 0.99))
loss = nn.BCEWithLogitsLoss()
for step in range(601):
    real, fake = data.sample(128), netG(torch.randn(128, 4))
    netD.zero_grad()
    errD = loss(netD(real), torch.ones(128, 1)) + loss(netD(fake.detach()), torch.zeros(128, 1))
    errD.backward()
    optD.step()
    netG.zero_grad()
    errG = loss(netD(fake), torch.ones(128, 1))
    errG.backward()
    optG.step()
    if step % 100 == 0:
        with torch.no_grad():
            x = netG(torch.randn(2000, 4))
        print(f"step {step} D {errD.item():.3f} G {errG.item():.3f} mean distance {(x.mean(0) - torch.tensor([1.0, -1.0])).norm():.3f} "
              f"covariance distance {(x.T.cov() - data.mix.T @ data.mix).norm():.3f}")
