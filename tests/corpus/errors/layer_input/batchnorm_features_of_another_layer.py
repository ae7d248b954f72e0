import torch
from torch import nn


class Head(nn.Module):
    def __init__(self, in_dim, hidden, classes):
        super().__init__()
        self.fc1 = nn.Linear(in_dim, hidden)
        self.bn1 = nn.BatchNorm1d(in_dim)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, feats):
        h = self.fc1(feats)
        h = torch.relu(self.bn1(h))
        return self.fc2(h)


head = Head(64, 128, 3)
feats = torch.randn(32, 64)
loss = nn.functional.cross_entropy(head(feats), torch.randint(0, 3, (32,)))
loss.backward()
