from itertools import pairwise

import torch
from torch import nn


class MLP(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


mlp = MLP([12, 64, 64, 3])
optimizer = torch.optim.Adam(mlp.parameters(), lr=1e-3)
loss = nn.functional.cross_entropy(mlp(torch.randn(5, 12)), torch.tensor([0, 1, 2, 0, 1]))
loss.backward()
optimizer.step()
