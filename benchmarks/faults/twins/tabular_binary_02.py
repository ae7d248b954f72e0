"""Predict whether a loan is repaid."""
import torch
import torch.nn.functional as F
from torch import nn


class LoanNet(nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.first = nn.Linear(columns, 40)
        self.second = nn.Linear(40, 1)

    def forward(self, rows):
        return torch.sigmoid(self.second(F.relu(self.first(rows)))).squeeze(1)


def loans(n, g):
    rows = torch.randn(n, 12, generator=g)
    chance = torch.sigmoid(3 * rows[:, 0] - 2 * rows[:, 1] + rows[:, 2] * rows[:, 3])
    return rows, torch.where(torch.rand(n, generator=g) < chance, 0.95, 0.05)


g = torch.Generator().manual_seed(4)
torch.manual_seed(4)
rows, repaid = loans(2000, g)
test_rows, test_repaid = loans(500, g)
net = LoanNet(12)
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(6):
    for pick in torch.randperm(2000, generator=g).split(40):
        probability = net(rows[pick])
        loss = F.binary_cross_entropy(probability, repaid[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        p = net(test_rows)
        nll = F.binary_cross_entropy(p, test_repaid)
    print(f"epoch {epoch} train {loss.item():.3f} test {nll:.3f} accuracy {((p > 0.5) == (test_repaid > 0.5)).float().mean():.3f}")
