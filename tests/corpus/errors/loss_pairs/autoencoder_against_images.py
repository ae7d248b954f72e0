import torch
from torch import nn


class AE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(32, 784), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


model = AE()
mse = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters())
for _ in range(2):
    images = torch.rand(32, 1, 28, 28)
    optimizer.zero_grad()
    loss = mse(model(images), images)
    loss.backward()
    optimizer.step()
