import torch
from torch import nn


class StyleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.pad = nn.ReflectionPad2d(3)
        self.res = nn.Conv2d(16, 16, 3)

    def forward(self, content):
        x = torch.relu(self.down1(content))
        x = torch.relu(self.down2(x))
        return self.res(self.pad(x))


style = StyleNet()
stylized = style(torch.rand(1, 3, 12, 12))
