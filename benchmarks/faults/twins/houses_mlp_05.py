"""Rent from size, age, floor and distance."""
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(23)


def flats(n):
    x = torch.randn(n, 4)
    rent = 1.2 * x[:, 0] - 0.5 * x[:, 1] + 0.3 * x[:, 2] * x[:, 3] + 0.05 * torch.randn(n)
    return x, rent


x, rent = flats(1500)
test_x, test_rent = flats(300)
loader = DataLoader(TensorDataset(x, rent), batch_size=50, shuffle=True)
model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.MSELoss()
for epoch in range(8):
    for inputs, targets in loader:
        outputs = model(inputs)
        loss = criterion(outputs.squeeze(1), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        p = model(test_x).flatten()
    print(f"epoch {epoch}: loss {loss.item():.3f}, test error {((p - test_rent) ** 2).mean():.3f}, spread {p.std():.3f}")
