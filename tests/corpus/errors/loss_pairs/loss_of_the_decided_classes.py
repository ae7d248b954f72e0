import torch
import torch.nn.functional as F
from torch import nn


class Digit(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(x.flatten(1))


def step(net, x, y):
    y_hat = net(x).argmax(dim=1)
    loss = F.cross_entropy(y_hat, y)
    accuracy = (y_hat == y).float().mean()
    return loss, accuracy


digit = Digit()
loss, accuracy = step(digit, torch.rand(25, 8, 8), torch.randint(0, 10, (25,)))
loss.backward()
