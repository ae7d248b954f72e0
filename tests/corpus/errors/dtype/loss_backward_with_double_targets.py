import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(0)
temperature = rng.normal(20, 5, size=(64, 1))
demand = 3.0 * temperature + rng.normal(size=(64, 1))

x = torch.tensor(temperature, dtype=torch.float32)
y = torch.tensor(demand)
net = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1))
criterion = nn.HuberLoss()
optimizer = torch.optim.Adam(net.parameters())


def train(loader):
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), targets)
        loss.backward()
        optimizer.step()


train(DataLoader(TensorDataset(x, y), batch_size=16))
