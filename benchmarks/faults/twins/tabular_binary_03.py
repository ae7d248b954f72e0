"""Accepted or rejected? Binary classifier with accuracy per epoch."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def applications(n, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 8, generator=g)
    return TensorDataset(x, ((x[:, 0] - x[:, 1]) * 2 + x[:, 2] ** 2 > 1).long())


def accuracy(model, loader):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for x, y in loader:
            guess = (model(x).squeeze(1) > 0).long()
            right += (guess == y).sum().item()
            total += len(y)
    return right / total


torch.manual_seed(0)
train = DataLoader(applications(2000, 1), batch_size=40, shuffle=True)
test = DataLoader(applications(400, 2), batch_size=40)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
for epoch in range(5):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        loss = criterion(model(x), y.float().unsqueeze(1))
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: loss {loss.item():.3f} accuracy {accuracy(model, test):.3f}")
