import io

import torch
from torch import nn


def small_resnet(num_classes):
    features = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(features, nn.Linear(16, num_classes))


file = io.BytesIO()
torch.save(small_resnet(1000).state_dict(), file)
file.seek(0)

pretrained = torch.load(file)
model = small_resnet(7)
model.load_state_dict(pretrained, strict=False)
scores = model(torch.randn(2, 3, 16, 16))
