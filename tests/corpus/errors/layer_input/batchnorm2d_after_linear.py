import torch
from torch import nn

model = nn.Sequential(
    nn.Conv2d(1, 6, kernel_size=5, padding=2),
    nn.BatchNorm2d(6),
    nn.ReLU(),
    nn.MaxPool2d(4),
    nn.Flatten(),
    nn.Linear(6 * 7 * 7, 100),
    nn.BatchNorm2d(100),
    nn.ReLU(),
    nn.Linear(100, 10),
)


def step(batch, target, optimizer):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(batch), target)
    loss.backward()
    optimizer.step()
    return loss.item()


sgd = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
step(torch.rand(16, 1, 28, 28), torch.randint(0, 10, (16,)), sgd)
