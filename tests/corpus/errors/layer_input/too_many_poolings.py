import torch
import torch.nn as nn

cfg = [8, "M", 16, "M", 32, "M", 64, "M", 64, "M"]


def make_layers(config, in_channels=1):
    layers = []
    for v in config:
        if v == "M":
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
        else:
            layers += [nn.Conv2d(in_channels, v, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
            in_channels = v
    return nn.Sequential(*layers)


class VGG(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = make_layers(cfg)
        self.classifier = nn.Linear(64, 10)

    def forward(self, x):
        x = self.features(x)
        return self.classifier(x.flatten(1))


vgg = VGG()
scores = vgg(torch.rand(4, 1, 28, 28))
