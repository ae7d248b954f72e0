"""Forecast with early stopping and the best weights restored."""
import torch
from torch import nn


class Forecaster(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.lstm = nn.LSTM(1, width, batch_first=True)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        return self.out(self.lstm(x)[0][:, -1])


class Keeper:
    """Remembers the weights of the lowest validation loss."""

    def __init__(self):
        self.loss, self.weights = float("inf"), {}

    def offer(self, loss, model):
        if loss < self.loss:
            self.loss = loss
            self.weights = {name: p.detach() for name, p in model.named_parameters()}

    def restore(self, model):
        model.load_state_dict(self.weights)


torch.manual_seed(1)
t = torch.arange(400).float()
series = torch.sin(t / 4) + 0.6 * torch.randn(400)
rows = series.unfold(0, 13, 1)
x, y = rows[:, :12, None], rows[:, 12:]
model, keeper = Forecaster(), Keeper()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
for epoch in range(16):
    for pick in torch.randperm(250).split(25):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x[pick]), y[pick])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        valid = nn.functional.mse_loss(model(x[270:]), y[270:]).item()
    keeper.offer(valid, model)
    if epoch % 5 == 0:
        print(f"epoch {epoch} training {loss.item():.4f} validation {valid:.4f}")
keeper.restore(model)
with torch.no_grad():
    print(f"lowest {keeper.loss:.4f} now {nn.functional.mse_loss(model(x[270:]), y[270:]).item():.4f}")
