import torch
from torch import nn

autoencoder = nn.Sequential(nn.Linear(30, 5), nn.Tanh(), nn.Linear(5, 30))
optimizer = torch.optim.Adam(autoencoder.parameters, lr=0.002)
rows = torch.rand(64, 30)
for _ in range(10):
    loss = nn.functional.mse_loss(autoencoder(rows), rows)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
