import torch
from torch import nn

names = ["cat", "dog", "frog", "horse"]
animal_net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, len(names)))


def label(images):
    with torch.no_grad():
        predicted = animal_net(images).argmax(dim=1)
    return names[predicted]


torch.manual_seed(0)
shown = label(torch.rand(6, 3, 8, 8))
