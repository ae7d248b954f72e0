"""Find fraudulent payments."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

torch.manual_seed(3)


def payments(n):
    x = torch.randn(n, 8)
    score = x[:, 0] + x[:, 1] + 0.7 * x[:, 2] * x[:, 3] + 1.5 * torch.randn(n)
    return x, (score > 4.4).float()


x, y = payments(4000)
tx, ty = payments(2000)
weights = torch.where(y == 1, (y == 0).sum() / (y == 1).sum(), torch.tensor(1.0))
loader = DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(4):
    for features, label in loader:
        optimizer.zero_grad()
        loss = criterion(model(features).squeeze(1), label)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        guess = (model(tx).squeeze(1) > 0).float()
    recall = ((guess == 1) & (ty == 1)).sum() / ty.sum()
    false_rate = ((guess == 1) & (ty == 0)).sum() / (ty == 0).sum()
    print(f"epoch {epoch} accuracy {(guess == ty).float().mean():.3f} frauds found {recall:.3f} false alarms {false_rate:.3f}")
