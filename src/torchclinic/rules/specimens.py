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

RATED = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
x = torch.randn(64, 8)
y = x.sum(1, keepdim=True)
loss_fn = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
for _ in range(80):
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
"""

DEEP = """
import torch
from torch import nn

torch.manual_seed(0)
layers = [nn.Linear(64, 64, bias=False) for _ in range(12)]
for layer in layers:
    nn.init.kaiming_normal_(layer.weight)
blocks = [part for layer in layers for part in (layer, nn.ReLU())]
model = nn.Sequential(*blocks, nn.Linear(64, 4))
batch = (torch.randn(64, 64), torch.randint(0, 4, (64,)))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
for _ in range(3):
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
"""

_SIX_STEPS = """

torch.manual_seed(0)
x, y = torch.randn(6, 8, 4), torch.randint(0, 3, (6, 8))
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for i in range(6):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[i]), y[i]).backward()
    optimizer.step()
"""


def trained(net: str) -> str:
    """Six steps of the class `Net`, which maps 4 features to 3 logits."""
    return "\nimport torch\nfrom torch import nn\n\n" + net + _SIX_STEPS


def changed(script: str, *changes: tuple[str, str]) -> str:
    """`script` with each (old, new) replaced; every `old` must be there."""
    for old, new in changes:
        assert old in script, old
        script = script.replace(old, new)
    return script
