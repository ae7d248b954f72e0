"""Prices with an error bar: average many passes with dropout left on."""
import torch
from torch import nn


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 96), nn.Linear(96, 96), nn.Linear(96, 1)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        x = self.drop(torch.relu(self.a(x)))
        x = self.drop(torch.relu(self.b(x)))
        return self.c(x)


def predict_with_spread(model, x, passes=20):
    """Monte-Carlo dropout (Gal and Ghahramani 2016): everything in eval except the dropout layers."""
    model.eval()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.train()
    with torch.no_grad():
        draws = torch.stack([model(x) for _ in range(passes)])
    return draws.mean(0), draws.std(0)


torch.manual_seed(0)
x = torch.randn(1800, 6)
y = x[:, :1] * x[:, 1:2] + x[:, 2:3] + 0.1 * torch.randn(1800, 1)
model = Regressor()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(8):
    model.train()
    for pick in torch.randperm(1500).split(50):
        loss = nn.functional.mse_loss(model(x[pick]), y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    mean, spread = predict_with_spread(model, x[1500:])
    print(f"epoch {epoch} test error {nn.functional.mse_loss(mean, y[1500:]):.3f} mean spread {spread.mean():.3f}")
