import torch
from torch import nn


def invert(decoder, target, steps=20):
    start = decoder.weight.mean(dim=0, keepdim=True)
    latent = start + 0.01 * torch.randn(1, decoder.in_features)
    optimizer = torch.optim.Adam([latent], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (decoder(latent) - target).pow(2).mean()
        loss.backward()
        optimizer.step()
    return latent.detach()


decoder = nn.Linear(6, 40)
found = invert(decoder, torch.rand(1, 40))
