"""Count the ones in a binary sequence."""
import torch
from torch import nn


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 24, batch_first=True)
        self.out = nn.Linear(24, 1)

    def forward(self, bits):
        _, last = self.gru(bits)
        return self.out(last[0])


def bits(n):
    x = torch.randint(0, 2, (n, 12, 1)).float()
    return x, (x.sum(1) - 6) / 3


torch.manual_seed(0)
model = Counter()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.8)
vx, vy = bits(300)
for epoch in range(5):
    scheduler.step()
    for _ in range(40):
        x, y = bits(64)
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        valid = nn.functional.mse_loss(model(vx), vy)
    print(f"epoch {epoch} rate {scheduler.get_last_lr()[0]:.4f} loss {loss.item():.4f} valid {valid.item():.4f}")
