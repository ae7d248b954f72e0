import torch
from torch import nn

torch.manual_seed(1)
points = torch.randn(128, 4)
values = points.sum(dim=1, keepdim=True)

regressor = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
sgd = torch.optim.SGD(regressor.parameters(), lr=0.01)
mse = nn.MSELoss()

penalty = sum((p**2).sum() for p in regressor.parameters())

for _ in range(20):
    sgd.zero_grad()
    loss = mse(regressor(points), values) + 1e-4 * penalty
    loss.backward()
    sgd.step()
