import torch
from torch import nn


class ResBlock(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1)
        self.shortcut = nn.Identity()

    def forward(self, x):
        h = torch.relu(self.conv1(x))
        h = self.conv2(h)
        return torch.relu(h + self.shortcut(x))


trunk = nn.Sequential(ResBlock(64, 64), ResBlock(64, 128))
maps = trunk(torch.randn(2, 64, 8, 8))
