"""Will it rain? One probability per row."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Rain(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(7, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())

    def forward(self, x):
        return self.net(x).squeeze(-1)


def days(n, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 7, generator=g)
    return TensorDataset(x, ((x[:, 0] * x[:, 1] + x[:, 2]) > 0).float())


torch.manual_seed(0)
loader, test = DataLoader(days(2000, 1), batch_size=50, shuffle=True), days(400, 2)
model, criterion = Rain(), nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
for epoch in range(6):
    for x, y in loader:
        p = model(x)
        loss = criterion(p, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        p = model(test.tensors[0])
    print(f"epoch {epoch} loss {criterion(p, test.tensors[1]):.3f} accuracy {((p > 0.5).float() == test.tensors[1]).float().mean():.3f}")
