"""Fuel consumption of cars."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(7)
x = torch.randn(1800, 6)
y = 0.5 * x[:, :1] - x[:, 1:2] * 0.8 + torch.relu(x[:, 2:3])
y = (y - y.mean()) / y.std()
loader = DataLoader(TensorDataset(x[:1500], y[:1500]), batch_size=50, shuffle=True)
model = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=1e-4)
for epoch in range(8):
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        test = nn.functional.mse_loss(model(x[1500:]), y[1500:]).item()
        norm = sum(p.norm() ** 2 for p in model.parameters()).sqrt().item()
    print(f"epoch {epoch} loss {loss.item():.3f} test {test:.3f} weight norm {norm:.2f}")
