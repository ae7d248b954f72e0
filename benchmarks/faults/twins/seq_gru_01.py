"""Sum the first and last numbers of a sequence with a GRU."""
import torch
from torch import nn

torch.manual_seed(21)


class Summer(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.gru = nn.GRU(1, width, batch_first=True)
        self.head = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 1))

    def features(self, x):
        return self.gru(x)[0][:, -1]

    def forward(self, x):
        return self.head(self.features(x)).squeeze(-1)


def batch(n):
    x = torch.rand(n, 10, 1) * 2 - 1
    return x, x[:, 0, 0] + x[:, -1, 0]


model = Summer()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
val_x, val_y = batch(500)
for step in range(401):
    x, y = batch(64)
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        model.eval()
        with torch.no_grad():
            val = nn.functional.mse_loss(model(val_x), val_y)
        model.train()
        print(f"{step}: train {loss.item():.4f} valid {val.item():.4f}")
