import torch
from torch import nn


class SeparableConv(nn.Module):
    def __init__(self, in_ch, out_ch):
        super().__init__()
        self.depthwise = nn.Conv2d(in_ch, in_ch, 3, padding=1, groups=16)
        self.pointwise = nn.Conv2d(in_ch, out_ch, 1)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


mobile = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2), SeparableConv(16, 24), nn.ReLU(), SeparableConv(24, 48), nn.ReLU())
features = mobile(torch.randn(2, 3, 32, 32))
