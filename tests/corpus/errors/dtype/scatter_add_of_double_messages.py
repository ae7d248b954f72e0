import numpy as np
import torch
from torch import nn


class MessagePassing(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.lin = nn.Linear(dim, dim)

    def forward(self, x, source, target, weight):
        messages = self.lin(x)[source] * weight.unsqueeze(1)
        index = target.unsqueeze(1).expand_as(messages)
        return torch.zeros_like(x).scatter_add_(0, index, messages)


source = torch.tensor([0, 1, 2, 3, 0])
target = torch.tensor([1, 2, 3, 0, 2])
distance = np.array([1.0, 0.5, 2.0, 1.5, 3.0])
weight = torch.from_numpy(1 / distance)
nodes = torch.randn(4, 6)
updated = MessagePassing(6)(nodes, source, target, weight)
