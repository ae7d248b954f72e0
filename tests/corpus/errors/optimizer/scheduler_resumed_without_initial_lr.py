import torch
from torch import nn


def make_scheduler(optimizer, epochs_done):
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30, last_epoch=epochs_done - 1)


network = nn.Linear(5, 5)
optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
start_epoch = 10
scheduler = make_scheduler(optimizer, start_epoch)
for _ in range(start_epoch, 30):
    optimizer.zero_grad()
    network(torch.randn(4, 5)).pow(2).sum().backward()
    optimizer.step()
    scheduler.step()
