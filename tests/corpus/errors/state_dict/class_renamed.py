import io

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)


file = io.BytesIO()
torch.save(Net(), file)
file.seek(0)


class SiameseNet(Net):
    def forward(self, a, b):
        return (self.fc(a) - self.fc(b)).norm(dim=1)


del Net
model = torch.load(file, weights_only=False)
