import torch
from torch import nn


class Matcher(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Linear(12, 6)
        self.memory = nn.Parameter(torch.randn(40, 6))

    def forward(self, x):
        query = self.query(x)
        distances = torch.cdist(query.float(), self.memory)
        nearest = distances.argmin(dim=1)
        delta = torch.zeros_like(self.memory)
        return delta.index_add(0, nearest, query)


matcher = Matcher()
optimizer = torch.optim.SGD(matcher.parameters(), lr=0.1)
with torch.autocast("cpu", dtype=torch.bfloat16):
    shift = matcher(torch.randn(100, 12))
shift.square().sum().backward()
optimizer.step()
