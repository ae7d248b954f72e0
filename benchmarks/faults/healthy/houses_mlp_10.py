"""Three target columns with different units, layers written by hand."""
import torch
from torch import nn


class Affine(nn.Module):
    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_in, fan_out) / fan_in**0.5)
        self.bias = nn.Parameter(torch.zeros(fan_out))

    def forward(self, x):
        return x @ self.weight + self.bias


torch.manual_seed(0)
UNITS = torch.tensor([1.0, 50.0, 0.02])
x = torch.randn(1800, 5)
y = torch.stack([x[:, 0] - x[:, 1], x[:, 2] * x[:, 3], x[:, 4].abs()], 1) * UNITS
model = nn.Sequential(Affine(5, 64), nn.ReLU(), Affine(64, 64), nn.ReLU(), Affine(64, 3))
scale = y[:1500].std(0, keepdim=True)
centre = y[:1500].mean(0, keepdim=True)


def weighted_error(prediction, target):
    return (((prediction - (target - centre) / scale)) ** 2).mean()


optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(8):
    for pick in torch.randperm(1500).split(50):
        loss = weighted_error(model(x[pick]), y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(f"epoch {epoch} loss {loss.item():.3f} test {weighted_error(model(x[1500:]), y[1500:]).item():.3f}")
