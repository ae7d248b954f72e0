"""GRA003 on recurrent layers: which step is read decides what their recurrent weights receive, and the advice says so."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.report.model import Finding
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
centres = torch.randn(3, 6, 5)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(5, 8, num_layers=LAYERS, bidirectional=BOTH, batch_first=True)
        self.head = nn.Linear(16 if BOTH else 8, 3)

    def forward(self, x):
        output, (h_n, _) = self.layer(x)
        return self.head(READ)


model = Reader()
optimizer = torch.optim.Adam(model.parameters(), 0.01)
for _ in range(20):
    y = torch.randint(0, 3, (16,))
    x = (centres[y] + torch.randn(16, 6, 5))CUT
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""


def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: str, both: bool = True, layers: int = 1, cut: str = ""
) -> list[Finding]:
    script = SCRIPT.replace("LAYERS", str(layers)).replace("BOTH", str(both)).replace("READ", read).replace("CUT", cut)
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(script)
    session = Session()
    launch(Target("train.py"), session, lambda outcome: None)
    return [finding for finding in judge(collect(session)).findings if finding.severity != "info"]


@pytest.mark.parametrize("layers", [1, 2])
def test_a_backward_direction_that_is_read_at_its_first_step(layers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [finding] = told(tmp_path, monkeypatch, "output[:, -1]", layers=layers)
    assert finding.code == "GRA003"
    assert f"layer.weight_hh_l{layers - 1}_reverse" in finding.message
    assert "has seen one element" in finding.message
    assert "h_n[-2], h_n[-1]" in finding.fix


@pytest.mark.parametrize(("read", "cut"), [("output[:, 0]", ""), ("output[:, -1]", "[:, :1]")])
def test_a_direction_of_which_one_step_counts(read: str, cut: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [finding] = told(tmp_path, monkeypatch, read, both=False, cut=cut)
    assert finding.code == "GRA003"
    assert "a single step is read" in finding.message
    assert "batch_first" in finding.fix


@pytest.mark.parametrize(
    "read", ["torch.cat([h_n[-2], h_n[-1]], 1)", "torch.cat([output[:, -1, :8], output[:, 0, 8:]], 1)", "output.mean(1)"]
)
def test_directions_that_are_read_at_their_ends_are_fine(read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(tmp_path, monkeypatch, read) == []
