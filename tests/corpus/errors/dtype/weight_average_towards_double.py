import copy

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
average = copy.deepcopy(model)
x, y = torch.randn(30, 4), torch.randn(30, 1)


def precise_error(net):
    net = net.double()
    with torch.no_grad():
        return (net(x.double()) - y).pow(2).mean().item()


def update_average(net, decay=0.99):
    with torch.no_grad():
        for old, new in zip(average.parameters(), net.parameters(), strict=True):
            old.lerp_(new, 1 - decay)


before = precise_error(model)
update_average(model)
after = precise_error(average)
