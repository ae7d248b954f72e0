import torch
import torch.distributed as dist
from torch import nn


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.logits = nn.Linear(4, 2)

    def forward(self, state):
        return self.logits(state)

    def act(self, state):
        return torch.distributions.Categorical(logits=self(state)).sample()


dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
policy = nn.parallel.DistributedDataParallel(Policy())
actions = policy.act(torch.randn(6, 4))
log_probs = torch.distributions.Categorical(logits=policy(torch.randn(6, 4))).log_prob(actions)
log_probs.mean().backward()
dist.destroy_process_group()
