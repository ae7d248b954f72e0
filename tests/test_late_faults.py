"""Faults that begin when nothing is observed in full, or that hide behind an operation."""

from pathlib import Path

import pytest

from torchclinic.launcher import Target, launch
from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.rules.specimens import CLASSIFIER, changed

EPOCHS = """
import torch
from torch import nn
torch.manual_seed(0)
centres = torch.randn(3, 8)
def batch(rows):
    y = torch.randint(0, 3, (rows,))
    return centres[y] + torch.randn(rows, 8), y
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 3))
optimizer = torch.optim.Adam(model.parameters(), 0.003)
model.train()
for epoch in range(4):
    BEGIN
    for _ in range(50):
        x, y = batch(16)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = sum((model(x).argmax(1) == y).float().mean() for x, y in [batch(50) for _ in range(5)]) / 5
"""


def found(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(script)
    session = Session(budget=0.0)
    launch(Target("train.py"), session, lambda outcome: None)
    return [(finding.code, finding.step) for finding in judge(collect(session)).findings]


def test_training_that_stays_in_eval_mode_after_the_first_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(EPOCHS.replace("BEGIN", "pass"), tmp_path, monkeypatch) == [("MOD001", 50)]
    assert found(EPOCHS.replace("BEGIN", "model.train()"), tmp_path, monkeypatch) == []


def test_a_loss_that_is_made_anew_and_summed_has_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anew = "    loss = torch.tensor([loss.item(), 0.5], requires_grad=True).sum()\n    loss.backward()"
    assert found(changed(CLASSIFIER, ("    loss.backward()", anew)), tmp_path, monkeypatch) == [("WIR007", 0)]
