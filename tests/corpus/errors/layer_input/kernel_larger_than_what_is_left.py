import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, in_ch=3):
        super().__init__()
        self.blocks = nn.ModuleList()
        for out_ch in (16, 32, 64):
            self.blocks.append(nn.Sequential(nn.Conv2d(in_ch, out_ch, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)))
            in_ch = out_ch
        self.last = nn.Conv2d(64, 128, 3)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.last(x).mean(dim=(2, 3))


encoder = Encoder()
patches = torch.randn(10, 3, 16, 16)
embedding = encoder(patches)
