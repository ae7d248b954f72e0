import tempfile
from pathlib import Path

import torch
from torch import nn


class NetV1(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 20)
        self.fc2 = nn.Linear(20, 4)


class NetV2(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 20)
        self.classifier = nn.Linear(20, 4)

    def forward(self, x):
        return self.classifier(torch.relu(self.fc1(x)))


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "weights.pt")
    torch.save(NetV1().state_dict(), path)
    net = NetV2()
    state = torch.load(path)
    net.load_state_dict(state)
    net(torch.randn(2, 10))
