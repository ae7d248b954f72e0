"""A parameter that is replaced in the middle of training, when nothing is observed in full."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

SCRIPT = """
import torch
from torch import nn
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Parameter(torch.randn(30, 6)), nn.Linear(6, 1)
    def forward(self, i): return self.head(self.table[i])
model, y = Net(), torch.randn(30, 1)
optimizer = torch.optim.Adam(model.parameters(), 0.01)
for step in range(100):
    if step == 50:
        CHANGE
    i = torch.randint(0, 30, (16,))
    loss = (model(i) - y[i]).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
"""
ANEW = "optimizer = torch.optim.Adam(model.parameters(), 0.01)"


def codes(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT.replace("CHANGE", change))
    session = Session(budget=0.0)
    launch(Target("train.py"), session, lambda outcome: None)
    assert collect(session).observed_steps < 50
    return [(finding.code, finding.line) for finding in judge(collect(session)).findings]


@pytest.mark.parametrize(
    "change",
    ["model.table = nn.Parameter(model.table.detach() / 2)", f"{ANEW}; model.head = nn.Linear(6, 1)"],
    ids=["remade", "after-the-optimizer"],
)
def test_the_optimizer_that_holds_the_old_one_is_stale(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "train.py:14" if change.startswith("optimizer") else "train.py:11"
    assert codes(change, tmp_path, monkeypatch) == [("WIR004", line)]


@pytest.mark.parametrize(
    "change",
    [f"model.head = nn.Linear(6, 1); {ANEW}", "model.table.data = model.table.data / 2"],
    ids=["before-the-optimizer", "in-its-data"],
)
def test_an_optimizer_that_holds_the_new_one_is_not(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes(change, tmp_path, monkeypatch) == []
