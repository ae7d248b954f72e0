"""Rent per square metre from raw columns: size, year, income, distance."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def flats(n, seed):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(n, 4, generator=g)
    raw = z * torch.tensor([30.0, 25.0, 15000.0, 4000.0]) + torch.tensor([80.0, 1970.0, 42000.0, 9000.0])
    rent = 0.5 * z[:, 0] + 0.8 * z[:, 1] + z[:, 2] * 0.4 - 0.6 * z[:, 3] * z[:, 0]
    return raw, rent.unsqueeze(1)


torch.manual_seed(0)
x, y = flats(2000, 1)
tx, ty = flats(400, 2)
mean, std = x.mean(0), x.std(0)
x, tx = (x - mean) / std, (tx - mean) / std
loader = DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)
model = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.MSELoss()
for epoch in range(8):
    for inputs, rent in loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), rent)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(f"epoch {epoch}: train {loss.item():.3f} test {criterion(model(tx), ty).item():.3f}")
