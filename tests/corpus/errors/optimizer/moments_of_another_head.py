import torch
from torch import nn


def network(classes):
    return nn.Sequential(nn.Linear(14, 28), nn.ReLU(), nn.Linear(28, classes))


def run(net, optimizer, classes, steps=3):
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(torch.randn(16, 14)), torch.randint(0, classes, (16,)))
        loss.backward()
        optimizer.step()


pretrained = network(100)
pretraining = torch.optim.Adam(pretrained.parameters(), lr=1e-3)
run(pretrained, pretraining, 100)

finetuned = network(4)
finetuned[0].load_state_dict(pretrained[0].state_dict())
finetuning = torch.optim.Adam(finetuned.parameters(), lr=1e-4)
finetuning.load_state_dict(pretraining.state_dict())
run(finetuned, finetuning, 4)
