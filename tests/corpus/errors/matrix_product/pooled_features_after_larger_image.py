import torch
import torch.nn.functional as F
from torch import nn

IMAGE_SIZE = 96


def load_batch(n):
    raw = torch.rand(n, 3, 120, 160)
    return F.interpolate(raw, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear"), torch.randint(0, 2, (n,))


cats_vs_dogs = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 16 * 16, 2),
)
pictures, is_dog = load_batch(4)
loss = F.cross_entropy(cats_vs_dogs(pictures), is_dog)
loss.backward()
