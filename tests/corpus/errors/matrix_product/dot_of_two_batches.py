import torch
import torch.nn.functional as F
from torch import nn


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(300, 128), nn.Tanh())

    def similarity(self, left, right):
        left, right = F.normalize(left, dim=1), F.normalize(right, dim=1)
        return torch.dot(left, right)

    def forward(self, a, b):
        return self.similarity(self.branch(a), self.branch(b))


siamese = Siamese()
first, second = torch.randn(32, 300), torch.randn(32, 300)
sim = siamese(first, second)
