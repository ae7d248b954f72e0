import torch
from torch import nn


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, x):
        return self.linear(x)


def squared_error(prediction, target):
    return ((prediction - target) ** 2).mean()


rows = 7_000_000
features, target = torch.zeros(rows, 2), torch.ones(rows)
line = Line()
with torch.no_grad():
    error = squared_error(line(features), target)
