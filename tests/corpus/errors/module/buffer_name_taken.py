import torch
from torch import nn


class Standardize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.mean = mean
        self.std = std
        self.register_buffer("mean", torch.as_tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.as_tensor(std).view(-1, 1, 1))

    def forward(self, images):
        return (images - self.mean) / self.std


standardize = Standardize(mean=[0.5, 0.4, 0.4], std=[0.2, 0.2, 0.3])
images = standardize(torch.rand(2, 3, 6, 6))
