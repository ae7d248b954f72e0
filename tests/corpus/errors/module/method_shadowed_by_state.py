import torch
from torch import nn


class Meter(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network
        self.loss = None

    def loss(self, inputs, targets):
        return nn.functional.l1_loss(self.network(inputs), targets)

    def step(self, inputs, targets, optimizer):
        loss = self.loss(inputs, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        self.loss = loss.item()


meter = Meter(nn.Linear(2, 1))
optimizer = torch.optim.SGD(meter.parameters(), lr=0.1)
for _ in range(3):
    meter.step(torch.randn(8, 2), torch.randn(8, 1), optimizer)
