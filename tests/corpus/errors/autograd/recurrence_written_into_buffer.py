import torch
from torch import nn


class Rollout(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.step = nn.Linear(size, size)

    def forward(self, first, steps):
        states = torch.zeros(first.size(0), steps, first.size(1))
        states[:, 0] = first
        for t in range(1, steps):
            states[:, t] = torch.tanh(self.step(states[:, t - 1]))
        return states


rollout = Rollout(5)
target = torch.zeros(3, 7, 5)
simulated = rollout(torch.randn(3, 5), steps=7)
error = (simulated - target).abs().mean()
error.backward()
