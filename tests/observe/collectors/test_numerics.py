"""A gradient that becomes NaN in a step that is not observed in full, while the loss is finite."""

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
model = nn.Linear(4, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for i in range(31):
    x = torch.randn(32, 4)
    if i == 25:
        x = torch.zeros(32, 4)
        model.bias.data.zero_()
    squares = model(x).pow(2).sum(1)
    loss = torch.sqrt(squares).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def origin(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(script)
    session = Session(budget=0.0)
    launch(Target("train.py"), session, lambda outcome: None)
    assert collect(session).observed_steps < 25
    return [finding for finding in judge(collect(session)).findings if finding.code == "NUM001"]


def test_the_operation_whose_derivative_is_infinite_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = origin(SCRIPT, tmp_path, monkeypatch)
    assert (finding.line, finding.step) == ("train.py:13", 25)
    assert "only `sqrt` can do that" in finding.message
    assert finding.evidence["seen"] == "from the operations of the graph"


def test_of_two_that_could_have_done_it_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = SCRIPT.replace(".mean()", ".mean() + 0 * model(x).std()")
    (finding,) = origin(script, tmp_path, monkeypatch)
    assert (finding.line, finding.step) == ("train.py:15", 25)
    assert "could not be identified" in finding.message


@pytest.mark.parametrize(
    "change",
    [
        ("torch.sqrt(squares)", "torch.sqrt(squares + 1e-12)"),
        ("loss.backward()", "(loss + (i == 25) * 1.5e38 * model.weight.sum()).backward()"),
    ],
    ids=["epsilon", "large-but-finite"],
)
def test_a_finite_gradient_is_not_reported(change: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = SCRIPT.replace("if i == 25", "if False") if change[0] == "loss.backward()" else SCRIPT
    script = healthy.replace(*change).replace("optimizer.step()", "model.weight.grad.zero_(); model.bias.grad.zero_()")
    assert origin(script + "    optimizer.step()\n", tmp_path, monkeypatch) == []


def test_a_complex_parameter_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = SCRIPT.replace("SGD(model", "SGD([phase, *model").replace(".parameters(), lr", ".parameters()], lr")
    script = script.replace("optimizer =", "phase = nn.Parameter(torch.ones(2, dtype=torch.complex64))\noptimizer =")
    script = script.replace(".mean()", ".mean() + (phase * 1j).real.sum()")
    (finding,) = origin(script, tmp_path, monkeypatch)
    assert (finding.line, finding.step) == ("train.py:14", 25)
