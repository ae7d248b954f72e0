"""Add up a long sequence with a plain recurrent network."""
import torch
from torch import nn


class Accumulator(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.cell = nn.RNN(1, hidden, nonlinearity="relu", batch_first=True)
        self.out = nn.Linear(hidden, 1)
        nn.init.orthogonal_(self.cell.weight_hh_l0, gain=2.5)
        nn.init.normal_(self.cell.weight_ih_l0, std=0.1)
        nn.init.zeros_(self.cell.bias_hh_l0)
        nn.init.zeros_(self.cell.bias_ih_l0)

    def forward(self, x):
        states, _ = self.cell(x)
        return self.out(states[:, -1])


def numbers(n, length=20):
    x = torch.rand(n, length, 1)
    return x, (x.sum(1) - length / 2) / (length / 12) ** 0.5


torch.manual_seed(0)
model = Accumulator()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
vx, vy = numbers(300)
for step in range(301):
    x, y = numbers(64)
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 0:
        with torch.no_grad():
            valid = nn.functional.mse_loss(model(vx), vy)
        print(f"step {step} loss {loss.item():.4g} valid {valid.item():.4g}")
