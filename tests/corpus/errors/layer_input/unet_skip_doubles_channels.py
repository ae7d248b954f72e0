import torch
from torch import nn


def double_conv(cin, cout):
    return nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1), nn.ReLU(), nn.Conv2d(cout, cout, 3, padding=1), nn.ReLU())


class MiniUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = double_conv(1, 32)
        self.bottom = double_conv(32, 64)
        self.up = nn.ConvTranspose2d(64, 32, 2, stride=2)
        self.merge = double_conv(32, 32)
        self.out = nn.Conv2d(32, 2, 1)

    def forward(self, scan):
        skip = self.down(scan)
        deep = self.bottom(nn.functional.max_pool2d(skip, 2))
        merged = torch.cat([skip, self.up(deep)], dim=1)
        return self.out(self.merge(merged))


unet = MiniUNet()
masks = unet(torch.randn(2, 1, 32, 32))
