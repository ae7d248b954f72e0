"""`tc.monitor`, `tc.checkup` and the notebook extension do from Python what `torchclinic run` does to a script."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

import torchclinic as tc
from torchclinic.observe.session import Session


def small() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    return model, torch.randn(16, 4), torch.randint(0, 3, (16,))


def softmax_loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(output.softmax(1), target)


def test_checkup_finds_a_softmax_and_leaves_everything_as_it_was() -> None:
    model, x, y = small()
    optimizer = torch.optim.Adam(model.parameters())
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    report = tc.checkup(model, (x, y), softmax_loss, optimizer)
    assert [finding.code for finding in report.findings] == ["LOS001"]
    assert "test_monitor.py" in report.findings[0].line
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not optimizer.state
    assert all(parameter.grad is None for parameter in model.parameters())


def test_checkup_of_a_healthy_model_is_silent_without_an_optimizer() -> None:
    model, x, y = small()
    assert tc.checkup(model, (x, y), nn.CrossEntropyLoss()).findings == ()


def test_monitor_finds_missing_zero_grad_and_undoes_itself() -> None:
    model, x, y = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    call = nn.Module.__call__
    with tc.monitor(model, optimizer) as watch:
        for i in range(6):
            loss = nn.functional.cross_entropy(model(x[i : i + 8]), y[i : i + 8])
            loss.backward()
            optimizer.step()
    assert nn.Module.__call__ is call
    assert [finding.code for finding in watch.report().findings] == ["WIR001"]
    assert len(watch.report().data["script"]) == 4


def test_monitor_notes_losses_given_by_hand() -> None:
    model, _, _ = small()
    with tc.monitor(model, torch.optim.SGD(model.parameters(), lr=0.01)) as watch:
        watch.step(2.0)
        watch.step(torch.tensor(1.0))
    assert any(section.title.startswith("Loss") for section in watch.report().sections)


def test_an_error_of_ours_ends_the_observation_and_not_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHCLINIC_STRICT", raising=False)
    model, x, y = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    session = Session()

    def broken(*_: Any) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(session.state.training, "backward_begins", broken)
    with session:
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    assert "ours" in session.state.limits[0]
    assert model[0].weight.grad is not None


class Shell:
    """As much of IPython as an extension touches."""

    def __init__(self) -> None:
        self.magics: dict[str, Any] = {}
        self.magics_manager = type("Manager", (), {"magics": {"line": self.magics}})()

    def register_magic_function(self, function: Any, kind: str, name: str) -> None:
        assert kind == "line"
        self.magics[name] = function


def test_the_notebook_extension_observes_cells_and_can_be_unloaded() -> None:
    shell, call = Shell(), nn.Module.__call__
    model, x, y = small()
    tc.load_ipython_extension(shell)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(4):
        softmax_loss(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert [finding.code for finding in shell.magics["torchclinic"]("").findings] == ["LOS001"]
    tc.unload_ipython_extension(shell)
    assert nn.Module.__call__ is call
    assert not shell.magics
