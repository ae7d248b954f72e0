"""How far apart are two clouds of points? A critic with bounded slope."""
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm


def build():
    return nn.Sequential(
        spectral_norm(nn.Linear(2, 64)), nn.LeakyReLU(0.2),
        spectral_norm(nn.Linear(64, 64)), nn.LeakyReLU(0.2),
        weight_norm(nn.Linear(64, 1)),
    )


torch.manual_seed(0)
critic = build()
with torch.no_grad():
    critic[4].parametrizations.weight.original0.clamp_(max=1.0)
optimizer = torch.optim.Adam(critic.parameters(), lr=3e-3)
shift = torch.tensor([1.5, 0.0])
for step in range(301):
    left, right = 0.5 * torch.randn(96, 2), 0.5 * torch.randn(96, 2) + shift
    loss = critic(left).mean() - critic(right).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        critic[4].parametrizations.weight.original0.clamp_(max=1.0)
    if step % 75 == 0:
        print(f"step {step} estimated distance {-loss.item():.3f} (true 1.5)")
