import io

import torch
from torch import nn


class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)

    def forward(self, x):
        return self.up(torch.relu(self.down(x)))


def train(file):
    model = nn.DataParallel(Segmenter())
    torch.save(model.state_dict(), file)


def predict(file, image):
    model = Segmenter()
    model.load_state_dict(torch.load(file, map_location="cpu"))
    model.eval()
    with torch.no_grad():
        return model(image).argmax(dim=1)


storage = io.BytesIO()
train(storage)
storage.seek(0)
mask = predict(storage, torch.randn(1, 1, 8, 8))
