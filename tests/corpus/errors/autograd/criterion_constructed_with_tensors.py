import torch
from torch import nn


def train_one_batch(network, optimizer, images, digits):
    optimizer.zero_grad()
    scores = network(images.flatten(1))
    loss = nn.CrossEntropyLoss(scores, digits)
    loss.backward()
    optimizer.step()
    return loss.item()


network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
train_one_batch(network, optimizer, torch.rand(20, 1, 8, 8), torch.randint(0, 10, (20,)))
