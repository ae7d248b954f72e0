"""Evaluation is what never goes backward: the specimens with `no_grad` taken out of them are answered as they stand."""

import re
from pathlib import Path

import pytest

from rules.when_fine import HEALTHY, NORMAL_ENDS, SICK, answered
from torchclinic.rules.specimens import CLASSIFIER, changed

BARE = re.compile(r"with torch\.no_grad\(\):")
EVALUATING = ("DAT004", "DAT005", "DAT010", "EVA003", "EVA004", "MOD002", "MOD005")


def bare(script: str) -> str:
    """The script as a beginner writes it who does not know `no_grad`."""
    assert BARE.search(script)
    return BARE.sub("if True:", script)


@pytest.mark.parametrize("code", EVALUATING)
def test_a_sick_specimen_is_found_and_its_twin_is_not(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered(code, bare(SICK[code]), tmp_path, monkeypatch)[0] in ("error", "warning")
    answer, ended = answered(code, bare(HEALTHY[code]), tmp_path, monkeypatch)
    assert (answer, ended in NORMAL_ENDS) == ("fine", True)


DROPS = changed(CLASSIFIER, ("nn.ReLU(),", "nn.ReLU(), nn.Dropout(0.2),"))
SPLIT = changed(
    DROPS,
    ("model(xb)", "model[3:](model[:3](xb))"),
    ("    optimizer.step()\n", "    optimizer.step()\n    right = (model[3:](model[:3](x)).argmax(1) == y).float().mean()\n"),
)
ROOTS = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(48, 4), torch.randint(0, 3, (48,))
encoder, head = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3)), nn.Linear(8, 3)
optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.05)
for epoch in range(3):
    for start in range(0, 48, 8):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(encoder(x[start : start + 8])), y[start : start + 8]).backward()
        optimizer.step()
    right = (head(encoder(x)).argmax(1) == y).float().mean()
"""
PHASES = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(64, 4), torch.randint(0, 3, (64,))
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(4):
    for phase, rows in (("train", range(0, 48, 8)), ("val", range(48, 64, 8))):
        for start in rows:
            loss = nn.functional.cross_entropy(model(x[start : start + 8]), y[start : start + 8])
            if phase == "train":
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
"""
AT_THE_END = changed(DROPS + "\nprint((model(x).argmax(1) == y).float().mean())\n")


@pytest.mark.parametrize("script", [ROOTS, PHASES, AT_THE_END, SPLIT], ids=["roots", "phases", "end", "parts"])
def test_evaluation_in_train_mode_is_seen_without_no_grad(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered("MOD002", script, tmp_path, monkeypatch)[0] == "error"


ADVERSARIAL = changed(
    DROPS,
    (
        "    optimizer.zero_grad()\n",
        """    probe = xb.clone().requires_grad_()
    push = torch.autograd.grad(nn.functional.cross_entropy(model(probe), yb), probe)[0]
    xb = xb + 0.01 * push.sign()
    optimizer.zero_grad()
""",
    ),
)
VALUES = """
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for step in range(12):
    now, then, reward = torch.randn(16, 4), torch.randn(16, 4), torch.randn(16)
    target = reward + 0.9 * net(then).max(1).values.detach()
    loss = nn.functional.mse_loss(net(now)[:, 0], target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
SKIPPED = changed(DROPS, ("    optimizer.zero_grad()\n", "    if start == 16:\n        continue\n    optimizer.zero_grad()\n"))
ACCUMULATED = changed(DROPS, ("    optimizer.step()\n", "    if start % 16:\n        optimizer.step()\n"))


@pytest.mark.parametrize(
    "script", [ADVERSARIAL, VALUES, SKIPPED, ACCUMULATED], ids=["adversarial", "values", "skipped", "accumulated"]
)
def test_a_forward_that_serves_training_is_no_evaluation(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered("MOD002", script, tmp_path, monkeypatch) == ("fine", 0)
