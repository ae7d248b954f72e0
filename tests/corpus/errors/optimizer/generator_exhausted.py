import logging

import torch
from torch import nn

log = logging.getLogger("train")


def main():
    net = nn.Sequential(nn.Linear(28, 50), nn.ReLU(), nn.Linear(50, 10))
    parameters = net.parameters()
    log.info("parameters: %d", sum(p.numel() for p in parameters))
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
    inputs, labels = torch.randn(32, 28), torch.randint(0, 10, (32,))
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs), labels).backward()
        optimizer.step()


main()
