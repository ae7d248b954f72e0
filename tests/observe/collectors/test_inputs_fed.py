"""Inputs of evaluation beside those of training."""

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
shapes = torch.rand(5, 1, 12, 12)
def pictures(rows):
    y = torch.randint(0, 5, (rows,))
    return (0.3 * shapes[y] + 0.2 * torch.rand(rows, 1, 12, 12)).clamp(0, 1), y
net = nn.Sequential(nn.Flatten(), nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 5))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for epoch in range(3):
    net.train()
    for _ in range(20):
        x, y = pictures(32)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(TRAIN), y).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        x, y = pictures(100)
        (net(TEST).argmax(1) == y).float().mean()
        OTHER
"""
CASES = {
    "halves": ("(x - 0.5) / 0.5", "x", "", True),
    "bytes": ("x", "(x * 255).round()", "", True),
    "own-constants": ("(x - 0.25) / 0.1", "(x - 0.5) / 0.25", "", True),
    "alike": ("(x - 0.25) / 0.1", "(x - 0.25) / 0.1", "", False),
    "noise-in-training": ("x + 0.2 * torch.randn_like(x)", "x", "", False),
    "a-hard-test-beside-the-plain-one": ("x", "x", "net(1 - x); net(x * 4)", False),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_evaluated_is_prepared_as_what_is_trained_on(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test, other, told = CASES[name]
    monkeypatch.chdir(tmp_path)
    script = SCRIPT.replace("TRAIN", train).replace("TEST", test).replace("OTHER", other)
    (tmp_path / "train.py").write_text(script)
    session = Session()
    assert launch(Target("train.py"), session, lambda outcome: None).exit_code == 0
    assert [finding.code for finding in judge(collect(session), select=["DAT010"]).findings] == ["DAT010"] * told
