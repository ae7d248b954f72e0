import torch
import torch.nn.functional as F
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(8, 32)
        self.mid = nn.Linear(32, 32)
        self.out = nn.Linear(32, 4)

    def forward(self, x):
        h = F.relu(self.inp(x))
        h = F.relu(self.inp(x)) + h
        return self.out(h)


def gradient_norms(module):
    return {name: p.grad.norm().item() for name, p in module.named_parameters()}


classifier = Classifier()
loss = F.cross_entropy(classifier(torch.randn(16, 8)), torch.randint(0, 4, (16,)))
loss.backward()
norms = gradient_norms(classifier)
