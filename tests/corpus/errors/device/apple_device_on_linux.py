import torch
from torch import nn


def get_device(prefer="mps"):
    return torch.device(prefer)


device = get_device()
vae_encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 8))
vae_encoder.to(device)
codes = vae_encoder(torch.rand(5, 8, 8, device=device))
