import torch
from torch import nn


def build(num_classes):
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 1000))
    network[-1] = nn.Linear(32, num_classes)
    for parameter in network.parameters():
        parameter.requires_grad = False
    return network


def fit(network, images, labels):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
    return loss.item()


fit(build(5), torch.randn(6, 3, 12, 12), torch.randint(0, 5, (6,)))
