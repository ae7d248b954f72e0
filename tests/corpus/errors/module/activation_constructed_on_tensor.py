import torch
from torch import nn


class Denoiser(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.first = nn.Linear(size, 2 * size)
        self.second = nn.Linear(2 * size, size)

    def forward(self, noisy):
        hidden = self.first(noisy)
        hidden = nn.ReLU(hidden)
        return self.second(hidden)


clean = torch.rand(12, 9)
denoiser = Denoiser(9)
loss = (denoiser(clean + 0.1 * torch.randn(12, 9)) - clean).abs().mean()
