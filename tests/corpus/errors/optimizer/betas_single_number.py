import torch
from torch import nn

policy = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2))
value = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1))
policy_optimizer = torch.optim.SGD(policy.parameters(), lr=1e-2, momentum=0.9)
value_optimizer = torch.optim.Adam(value.parameters(), lr=1e-3, betas=0.9)

states = torch.randn(32, 4)
value_optimizer.zero_grad()
value(states).pow(2).mean().backward()
value_optimizer.step()
