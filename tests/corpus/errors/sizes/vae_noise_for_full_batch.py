import torch
from torch import nn
from torch.utils.data import DataLoader

LATENT, BATCH = 8, 32


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(64, 2 * LATENT)
        self.dec = nn.Linear(LATENT, 64)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn(BATCH, LATENT)
        return mu + eps * std

    def forward(self, x):
        mu, logvar = self.enc(x).chunk(2, dim=1)
        return self.dec(self.reparameterize(mu, logvar)), mu, logvar


vae = VAE()
for x in DataLoader(torch.rand(50, 64), batch_size=BATCH):
    recon, mu, logvar = vae(x)
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum()
    (nn.functional.mse_loss(recon, x, reduction="sum") + kl).backward()
