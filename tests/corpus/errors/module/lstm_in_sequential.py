import torch
from torch import nn

windows = torch.randn(16, 20, 3)
targets = torch.randn(16, 1)


class LastStep(nn.Module):
    def forward(self, output):
        hidden, _ = output
        return hidden[:, -1]


forecaster = nn.Sequential(nn.LSTM(3, 32, batch_first=True), nn.Linear(32, 1))
optimizer = torch.optim.Adam(forecaster.parameters(), lr=1e-3)
loss = nn.functional.mse_loss(forecaster(windows), targets)
optimizer.zero_grad()
loss.backward()
optimizer.step()
