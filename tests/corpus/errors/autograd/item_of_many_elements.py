import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.randn(48, 6), torch.rand(48, 1)), batch_size=16)
net = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
criterion = nn.L1Loss(reduction="none")

total = 0.0
for inputs, target in loader:
    loss = criterion(net(inputs), target)
    total += loss.item() * inputs.size(0)
    optimizer.zero_grad()
    loss.mean().backward()
    optimizer.step()
