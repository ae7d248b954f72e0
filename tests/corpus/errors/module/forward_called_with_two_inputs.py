import torch
from torch import nn


class Fusion(nn.Module):
    def __init__(self):
        super().__init__()
        self.image = nn.Linear(64, 16)
        self.text = nn.Linear(32, 16)
        self.head = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, image, text):
        joined = self.image(image), self.text(text)
        return self.head(*joined)


fusion = Fusion()
match = fusion(torch.randn(4, 64), torch.randn(4, 32))
