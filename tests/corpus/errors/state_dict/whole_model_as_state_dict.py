import tempfile
from pathlib import Path

import torch
from torch import nn


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.value = nn.Linear(17, 1)

    def forward(self, observation):
        return self.value(observation)


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "critic.pt")
    torch.save(Critic(), path)

    critic = Critic()
    critic.load_state_dict(torch.load(path, weights_only=False))
    critic(torch.randn(3, 17))
