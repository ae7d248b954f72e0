import torch
import torch.nn.functional as F
from torch import nn


class VAE(nn.Module):
    def __init__(self, data_dim=20, latent=3):
        super().__init__()
        self.enc = nn.Linear(data_dim, 2 * latent)
        self.dec = nn.Linear(latent, data_dim)

    def forward(self, x):
        mean, log_var = self.enc(x).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
        return self.dec(z), mean, log_var

    def loss(self, x):
        decoded, mean, log_var = self(x)
        reconstruction = F.mse_loss(decoded, x)
        if self.training and reconstruction > 1e6:
            return reconstruction
        kl = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(1).mean()
        self.last_loss = reconstruction + 0.1 * kl


vae = VAE()
optimizer = torch.optim.Adam(vae.parameters())
for _ in range(3):
    loss = vae.loss(torch.randn(8, 20))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
