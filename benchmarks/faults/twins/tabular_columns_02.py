"""Predict consumption from a table in which some cells were left empty."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(6)
table = torch.randn(1600, 9)
target = (table[:, 0] - 2 * table[:, 1] + table[:, 2] * table[:, 3]).unsqueeze(1)
empty = torch.rand(1600, 9) < 0.002
table[empty] = float("nan")
table = torch.nan_to_num(table, nan=0.0)
train = TensorDataset(table[:1300], target[:1300])
test_x, test_y = torch.nan_to_num(table[1300:]), target[1300:]
loader = DataLoader(train, batch_size=50, shuffle=True)


class Consumption(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(9, 64)
        self.outer = nn.Linear(64, 1)

    def forward(self, x):
        return self.outer(torch.nn.functional.gelu(self.inner(x)))


model = Consumption()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(6):
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(f"epoch {epoch} loss {loss.item():.3f} test {nn.functional.mse_loss(model(test_x), test_y).item():.3f}")
