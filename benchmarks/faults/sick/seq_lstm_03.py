"""One-step forecast of a noisy oscillation."""
import torch
from torch import nn


def windows(series, length):
    rows = series.unfold(0, length + 1, 1)
    return rows[:, :length].unsqueeze(-1), rows[:, length:]


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 24, batch_first=True)
        self.linear = nn.Linear(24, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.linear(out[:, -1]).squeeze(-1)


def squared_error(prediction, target):
    return torch.mean((prediction - target) ** 2)


torch.manual_seed(5)
t = torch.arange(1200).float()
series = torch.sin(t / 5) + 0.5 * torch.sin(t / 2.3) + 0.05 * torch.randn(1200)
x, y = windows(series, 16)
train_x, train_y, test_x, test_y = x[:1000], y[:1000], x[1000:], y[1000:]
net = Forecaster()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(6):
    for pick in torch.randperm(1000).split(50):
        loss = squared_error(net(train_x[pick]), train_y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        forecast = net(test_x)
    print(f"epoch {epoch} loss {loss.item():.4f} test {((forecast - test_y.flatten()) ** 2).mean():.4f}")
