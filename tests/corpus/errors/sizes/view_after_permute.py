import torch
from torch import nn


class PatchEmbed(nn.Module):
    def __init__(self, patch=4, channels=3, dim=48):
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch, stride=patch)
        self.head = nn.Linear(dim * 8 * 8, 10)

    def forward(self, x):
        x = self.proj(x)
        x = x.permute(0, 2, 3, 1)
        x = x.view(x.size(0), -1)
        return self.head(x)


embed = PatchEmbed()
logits = embed(torch.rand(4, 3, 32, 32))
