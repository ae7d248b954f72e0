"""Which of several findings is named as the cause."""

from pathlib import Path

import pytest

from torchclinic.launcher import Target, launch
from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.report.model import Finding
from torchclinic.rules.judging import judge

THROWN = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(960, 12)
y = x[:, :4].argmax(1)
model = nn.Sequential(
    nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4)
)
nn.init.normal_(model[6].weight, std=0.6)
optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
for epoch in range(4):
    for pick in torch.randperm(960).split(32):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[pick]), y[pick]).backward()
        optimizer.step()
"""


def findings(path: Path, script: str) -> list[Finding]:
    path.write_text(script)
    session = Session()
    outcome = launch(Target(str(path)), session, lambda outcome: None)
    assert outcome.exit_code == 0
    return [finding for finding in judge(collect(session)).findings if finding.severity != "info"]


def test_units_killed_by_the_first_steps_are_laid_to_the_learning_rate(tmp_path: Path) -> None:
    found = findings(tmp_path / "train.py", THROWN.replace("RATE", "5.0"))
    assert found[0].code == "OPT001"
    assert [finding.causes for finding in found if finding.code == "ACT001"] == [("OPT001",)]


@pytest.mark.parametrize("rate", ["0.3", "0.05"])
def test_large_steps_from_which_the_loss_recovers_are_fine(rate: str, tmp_path: Path) -> None:
    assert findings(tmp_path / "train.py", THROWN.replace("RATE", rate)) == []
