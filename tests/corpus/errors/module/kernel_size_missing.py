from itertools import pairwise

import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, channels):
        super().__init__()
        blocks = []
        for inner, outer in pairwise(channels):
            blocks += [nn.Conv2d(inner, outer), nn.ReLU()]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(x)


encoder = Encoder([3, 16, 32])
features = encoder(torch.rand(1, 3, 24, 24))
