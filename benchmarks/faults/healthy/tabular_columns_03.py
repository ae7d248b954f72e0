"""Raw columns; the first layer learns their scale."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


def rows(n):
    z = torch.randn(n, 5)
    raw = z * torch.tensor([2000.0, 0.01, 30.0, 1.0, 500.0]) + torch.tensor([50000.0, 0.5, 40.0, 0.0, -100.0])
    return raw, (z[:, 0] - z[:, 1] + z[:, 2] * z[:, 3] > 0).long()


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        return sum((model(x).argmax(1) == y).sum().item() for x, y in loader) / len(loader.dataset)


train, test = TensorDataset(*rows(2000)), TensorDataset(*rows(400))
loader = DataLoader(train, batch_size=50, shuffle=True)
model = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(6):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} training accuracy {accuracy(model, DataLoader(train, 400)):.3f} "
          f"test accuracy {accuracy(model, DataLoader(test, 400)):.3f}")
