"""The line of the script on which something was made: modules, loaders, the values of tensors."""

from pathlib import Path
from typing import Any

import pytest
from torch import nn
from torch.utils.data import DataLoader

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

SCRIPT = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
x, y = torch.randn(96, 4), torch.randint(0, 3, (96,))
loader = DataLoader(TensorDataset(x, y), batch_size=8)
head = nn.Softmax(dim=1)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), head)
criterion = nn.CrossEntropyLoss()
W = torch.randn(4, 3)
W = (W * 0.1).requires_grad_()
V = nn.Parameter(torch.randn(3, 3))
V.data.normal_(0, 0.5)
optimizer = torch.optim.SGD([*model.parameters(), W, V], lr=0.05)
for epoch in range(2):
    for a, b in loader:
        optimizer.zero_grad()
        (criterion(model(a), b) + (a @ W @ V).mean()).backward()
        optimizer.step()
"""


def line_of(text: str, script: str = SCRIPT) -> int:
    return next(i for i, line in enumerate(script.splitlines(), 1) if text in line)


@pytest.fixture
def observed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Session, dict[str, Any]]:
    """The session of a run of the script, and the script's names."""
    return run(SCRIPT, tmp_path, monkeypatch)


def run(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Session, dict[str, Any]]:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(script)
    session = Session()
    outcome = launch(Target("train.py"), session, lambda outcome: None)
    assert outcome.exit_code == 0
    return session, outcome.names


def test_modules_of_torch_and_loaders_are_known_by_the_line_that_made_them(observed: tuple[Session, dict[str, Any]]) -> None:
    session, names = observed
    for name, text in (("loader", "loader ="), ("head", "head ="), ("model", "model ="), ("criterion", "criterion =")):
        assert session.state.origins.line(names[name]) == f"train.py:{line_of(text)}"


def test_the_values_of_a_tensor_come_from_the_last_write_before_training(observed: tuple[Session, dict[str, Any]]) -> None:
    session, names = observed
    made = {id(t.ref()): t.made for t in session.state.training.parameters.values() if t.ref() is not None}
    assert made[id(names["W"])] == f"train.py:{line_of('W = (W * 0.1)')}"
    assert made[id(names["V"])] == f"train.py:{line_of('V.data.normal_')}"
    assert made[id(names["model"][0].weight)] == f"train.py:{line_of('model =')}"


def test_a_finding_on_a_softmax_module_points_to_where_it_was_made(observed: tuple[Session, dict[str, Any]]) -> None:
    findings = judge(collect(observed[0])).findings
    softmax = next(finding for finding in findings if finding.code == "LOS001")
    assert softmax.line == f"train.py:{line_of('head =')}"


def test_a_class_of_the_users_is_not_taken_for_torchs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = SCRIPT.replace("head = nn.Softmax(dim=1)", "class Head(nn.Softmax):\n    pass\nhead = Head(dim=1)")
    session, names = run(script, tmp_path, monkeypatch)
    assert session.state.origins.line(names["head"]) == f"train.py:{line_of('head =', script)}"
    softmax = next(finding for finding in judge(collect(session)).findings if finding.code == "LOS001")
    assert softmax.line == f"train.py:{line_of('model(a)', script)}"


def test_nothing_stays_behind_on_the_classes_that_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = nn.Module.__init__, DataLoader.__init__
    run(SCRIPT, tmp_path, monkeypatch)
    assert (nn.Module.__init__, DataLoader.__init__) == before
