import numpy as np
import torch
from torch import nn

model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
model.eval()


def load_image(height=28, width=28):
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, size=(height, width)).astype(np.float32) / 255


def predict(image):
    tensor = torch.from_numpy(image)
    with torch.no_grad():
        return model(tensor).argmax(dim=1).item()


digit = predict(load_image())
