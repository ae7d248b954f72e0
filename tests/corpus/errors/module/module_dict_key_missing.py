import torch
from torch import nn


class MultiHead(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.trunk = nn.Linear(10, 20)
        self.heads = nn.ModuleDict({name: nn.Linear(20, size) for name, size in sizes.items()})

    def forward(self, x, task):
        return self.heads[task](torch.relu(self.trunk(x)))


tasks = {"topic": 12, "sentiment": 3, "language": 5}
net = MultiHead({name: size for name, size in tasks.items() if size > 3})
losses = {}
for task, size in tasks.items():
    logits = net(torch.randn(6, 10), task)
    losses[task] = nn.functional.cross_entropy(logits, torch.randint(0, size, (6,)))
