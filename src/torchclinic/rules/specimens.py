"""Small healthy training scripts that specimens are made from by one change."""

CLASSIFIER = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(80, 4), torch.randint(0, 3, (80,))
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for start in range(0, 80, 8):
    xb, yb = x[start : start + 8], y[start : start + 8]
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(xb), yb)
    loss.backward()
    optimizer.step()
"""

REGRESSION = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(80, 4)
y = x.sum(dim=1, keepdim=True) / 2
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for start in range(0, 80, 8):
    xb, yb = x[start : start + 8], y[start : start + 8]
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(xb), yb)
    loss.backward()
    optimizer.step()
"""


def changed(script: str, *changes: tuple[str, str]) -> str:
    """`script` with each (old, new) replaced; every `old` must be there."""
    for old, new in changes:
        assert old in script, old
        script = script.replace(old, new)
    return script
