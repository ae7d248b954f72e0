"""What the rule about runs that learn nothing lets pass: a case for each clause of its *When this is fine*."""

from pathlib import Path

import pytest

from rules.when_fine import HEALTHY, SICK, Case, check, healed, pair, params
from torchclinic.rules.specimens import changed

BROKEN = ("x = x + 0.1 * torch.randn_like(x)", "x = x[torch.randperm(len(x))]")
NOISE = changed(SICK["LRN001"], ("\n\n\nclass Net", "\ny = torch.randint(0, 4, (480,))\n\n\nclass Net"))
CONTRASTIVE = """
import torch
from torch import nn

torch.manual_seed(0)
data = torch.randn(400, 16)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(80):
    x = data[torch.randint(0, 400, (32,))]
    a, b = net(x + 0.1 * torch.randn_like(x)), net(x + 0.1 * torch.randn_like(x))
    optimizer.zero_grad()
    scores = nn.functional.normalize(a) @ nn.functional.normalize(b).T / 20
    nn.functional.cross_entropy(scores, torch.arange(32)).backward()
    optimizer.step()
"""
TWO = changed(
    SICK["LRN001"],
    ("model = Net()\n", "model, other = Net(), nn.Linear(2, 1)\nsecond = torch.optim.Adam(other.parameters())\n"),
    (
        "        optimizer.step()\n",
        "        optimizer.step()\n        second.zero_grad()\n        other(torch.ones(3, 2)).mean().backward()\n"
        "        second.step()\n",
    ),
)
GUESSED = """
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=1e-6)
for step in range(80):
    now = torch.randn(32, 4)
    with torch.no_grad():
        target = 3 * net(now + 1) + 10
    optimizer.zero_grad()
    nn.functional.mse_loss(net(now), target).backward()
    optimizer.step()
"""
MARGIN = changed(
    HEALTHY["LRN001"],
    (
        "nn.functional.cross_entropy(model(x[rows]), y[rows])",
        "nn.functional.cross_entropy(model(x[rows]) - 9 * hot(y[rows]), y[rows])",
    ),
    ("\n\n\nclass Net", "\n\n\ndef hot(y):\n    return nn.functional.one_hot(y, 4)\n\n\nclass Net"),
    ("lr=3e-3", "lr=1e-5"),
)
WEIGHED = changed(
    SICK["LRN001"],
    ("cross_entropy(model(x[rows]), y[rows])", "cross_entropy(model(x[rows]), y[rows], reduction='none')"),
    ("        loss.backward()", "        (loss * torch.rand(24)).mean().backward()"),
)

CASES = [
    healed("LRN001", "Fewer than fifty steps", ("range(4)", "range(2)"), answer="undecided"),
    pair("LRN001", "A loss that still falls", HEALTHY["LRN001"].replace("lr=3e-3", "lr=1e-3"), BROKEN),
    Case("LRN001", "Labels that a simple model cannot tell from the inputs either, as of noise", NOISE, answer="undecided"),
    Case("LRN001", "or of self-supervision", CONTRASTIVE, answer="undecided"),
    Case("LRN001", "Several optimizers or losses", TWO, answer="undecided"),
    pair(
        "LRN001",
        "targets that a network made",
        GUESSED,
        ("target = 3 * net(now + 1) + 10", "target = 3 * now[:, :1] + 10"),
        answer="undecided",
    ),
    Case("LRN001", "or that enter the prediction", MARGIN, answer="undecided"),
    Case("LRN001", "losses weighted row by row", WEIGHED, answer="undecided"),
]


@pytest.mark.parametrize("case", params(CASES))
def test_a_clause_lets_its_case_pass(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(case, tmp_path, monkeypatch)
