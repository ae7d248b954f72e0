import numpy as np
import torch
from torch import nn

detector = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 1), nn.Sigmoid())


def preprocess(frame):
    tensor = torch.from_numpy(frame).float().div(255)
    return tensor.permute(0, 3, 1, 2)


def detect(frame):
    with torch.no_grad():
        return detector(preprocess(frame)).item() > 0.5


frame = np.zeros((24, 24, 3), dtype=np.uint8)
found = detect(frame)
