import torch
from torch import nn


class FCN(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.score = nn.Conv2d(8, classes, 1)

    def forward(self, x):
        return self.score(torch.relu(self.conv(x)))


def fake_mask(size=12):
    mask = torch.zeros(size, size, dtype=torch.long)
    mask[4:9, 4:9] = 2
    mask[4, 4:9] = mask[8, 4:9] = 255
    return mask


model = FCN(classes=3)
criterion = nn.CrossEntropyLoss()
images = torch.rand(2, 3, 12, 12)
masks = torch.stack([fake_mask(), fake_mask()])
loss = criterion(model(images), masks)
loss.backward()
