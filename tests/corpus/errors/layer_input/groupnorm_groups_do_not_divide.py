import torch
from torch import nn


def conv_block(inp, out):
    return nn.Sequential(nn.Conv2d(inp, out, 3, padding=1), nn.GroupNorm(min(32, out), out), nn.SiLU())


class Denoiser(nn.Module):
    def __init__(self, widths=(16, 32, 48)):
        super().__init__()
        stages = []
        channels = 1
        for width in widths:
            stages.append(conv_block(channels, width))
            channels = width
        self.stages = nn.Sequential(*stages)
        self.out = nn.Conv2d(channels, 1, 1)

    def forward(self, noisy):
        return self.out(self.stages(noisy))


denoiser = Denoiser()
clean = denoiser(torch.randn(2, 1, 16, 16))
