import torch
import torch.nn.functional as F
from torch import nn


class Actor(nn.Module):
    def __init__(self, observations, actions):
        super().__init__()
        self.layer1 = nn.Linear(observations, 64)
        self.layer2 = nn.Linear(64, 64)
        self.layer_3 = nn.Linear(64, actions)

    def forward(self, state):
        x = F.relu(self.layer1(state))
        x = F.relu(self.layer2(x))
        return self.layer3(x)


actor = Actor(observations=8, actions=4)
policy = torch.distributions.Categorical(logits=actor(torch.randn(1, 8)))
action = policy.sample()
