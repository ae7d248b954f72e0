import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 10), nn.Dropout(0.5), nn.Linear(10, 1))

    def forward(self, x):
        return self.net(x)

    def train(self, inputs, targets, epochs=3):
        optimizer = torch.optim.Adam(self.parameters())
        for _ in range(epochs):
            optimizer.zero_grad()
            nn.functional.mse_loss(self(inputs), targets).backward()
            optimizer.step()


model = Model()
inputs, targets = torch.randn(30, 5), torch.randn(30, 1)
model.train(inputs, targets)
model.eval()
test_error = (model(inputs) - targets).abs().mean()
