"""Which of several findings is named as the cause."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.report.model import Finding
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

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
    session = Session(budget=1.0)  # what is seen does not depend on how busy the machine is
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


RECURRENT = """
import torch
from torch import nn

torch.manual_seed(0)
cell, out = nn.RNN(2, 32, nonlinearity="relu", batch_first=FIRST), nn.Linear(32, 1)
model = nn.ModuleList([cell, out])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = cell, out

    def forward(self, x):
        return self.out(self.cell(x)[0].SELECT)


nn.init.INIT
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for _ in range(12):
    x = torch.rand(16, 40, 2)
    x[:, :PAD] = 0
    optimizer.zero_grad()
    nn.functional.mse_loss(net(xTRANSPOSED), x.mean((1, 2))[:, None]).backward()
    optimizer.step()
"""


def recurrent(init: str, *, batch_first: bool = True, pad: int = 0) -> str:
    script = RECURRENT.replace("INIT", init).replace("PAD", str(pad)).replace("FIRST", str(batch_first))
    script = script.replace("SELECT", "select(1, -1)" if batch_first else "select(0, -1)")
    return script.replace("TRANSPOSED", "" if batch_first else ".transpose(0, 1)")


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_state_that_explodes_along_the_sequence_is_laid_to_its_weights(batch_first: bool, tmp_path: Path) -> None:
    script = recurrent("orthogonal_(cell.weight_hh_l0, gain=2.5)", batch_first=batch_first)
    found = [f for f in findings(tmp_path / "train.py", script) if f.code == "INI004"]
    assert [f.where for f in found] == ["cell"]
    assert script.splitlines()[int(found[0].line.rpartition(":")[2]) - 1].startswith("nn.init.orthogonal_")


@pytest.mark.parametrize("pad", [0, 30])
@pytest.mark.parametrize("init", ["orthogonal_(cell.weight_hh_l0)", "eye_(cell.weight_hh_l0)", "zeros_(out.bias)"])
def test_a_state_that_adds_up_its_inputs_is_fine(init: str, pad: int, tmp_path: Path) -> None:
    found = findings(tmp_path / "train.py", recurrent(init, pad=pad))
    assert "INI004" not in [f.code for f in found]
