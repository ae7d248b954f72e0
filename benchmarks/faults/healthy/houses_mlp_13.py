"""Visits per day and mood of the visitors, two outputs with fitting ranges."""
import torch
from torch import nn


class Shop(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
        self.visits, self.mood = nn.Linear(48, 1), nn.Linear(48, 1)

    def forward(self, x):
        h = self.body(x)
        return nn.functional.softplus(self.visits(h)).squeeze(1), torch.tanh(self.mood(h)).squeeze(1)


def days(n, g):
    x = torch.randn(n, 6, generator=g)
    counts = torch.poisson(torch.exp(0.5 * x[:, 0] + 0.5), generator=g)
    return x, counts, torch.sin(x[:, 1] + x[:, 2])


g = torch.Generator().manual_seed(0)
torch.manual_seed(0)
x, counts, mood = days(2000, g)
tx, tcounts, tmood = days(400, g)
model = Shop()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
poisson = nn.PoissonNLLLoss(log_input=False)
for epoch in range(8):
    for pick in torch.randperm(2000).split(50):
        rate, feeling = model(x[pick])
        loss = poisson(rate, counts[pick]) + nn.functional.mse_loss(feeling, mood[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        rate, feeling = model(tx)
    print(f"epoch {epoch} counts {poisson(rate, tcounts):.3f} mood {nn.functional.mse_loss(feeling, tmood):.3f}")
