"""Spam or not, from nine counts."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Spam(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(9, 32)
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        x = F.relu(self.hidden(x))
        return torch.sigmoid(self.out(x))


def mails(n, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 9, generator=g)
    return TensorDataset(x, (x[:, :1] + x[:, 1:2] ** 2 - x[:, 2:3] > 1).float())


torch.manual_seed(0)
loader, test = DataLoader(mails(1500, 1), batch_size=50, shuffle=True), mails(400, 2)
model, criterion = Spam(), nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(5):
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() / len(loader)
    with torch.no_grad():
        accuracy = ((model(test.tensors[0]) > 0.5).float() == test.tensors[1]).float().mean()
    print(f"epoch {epoch} loss {total:.3f} accuracy {accuracy:.3f}")
