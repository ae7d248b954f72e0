import torch
from torch import nn

use_gpu = True
dtype = torch.cuda.FloatTensor if use_gpu else torch.FloatTensor


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 32), nn.LeakyReLU(0.2), nn.Linear(32, 64), nn.Tanh())

    def forward(self, z):
        return self.net(z)


generator = Generator()
z = torch.randn(16, 10).type(dtype)
fake_images = generator(z)
