import torch
import torch.nn.functional as F
from torch import nn


class TinyUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Conv2d(1, 8, 3, padding=1)
        self.mid = nn.Conv2d(8, 16, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.dec = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x):
        skip = F.relu(self.enc(x))
        x = F.relu(self.mid(F.max_pool2d(skip, 2)))
        x = self.up(x)
        x = torch.cat([x, skip], dim=1)
        return self.dec(x)


segmenter = TinyUNet()
slices = torch.randn(2, 1, 25, 25)
prediction = segmenter(slices)
