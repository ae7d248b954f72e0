"""Copies of trained weights that evaluate with running statistics nobody measured."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

SCRIPT = """
import copy, torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
torch.manual_seed(0)
centres = torch.randn(4, 10)
def batch(rows=40):
    y = torch.randint(0, 4, (rows,))
    return centres[y] + torch.randn(rows, 10), y
def make():
    return nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))
def follow(average, net, buffers):
    with torch.no_grad():
        for mean, now in zip(average.parameters(), net.parameters()):
            mean.lerp_(now, 0.1)
        for mean, now in zip(average.buffers(), net.buffers()):
            if buffers:
                mean.copy_(now)
def train(make_other, follow, steps=60, train_mode=True):
    net = make()
    other = make_other(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.05)
    net.train(train_mode)
    for step in range(steps):
        x, y = batch()
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        follow(other, net)
    return other
def evaluate(net):
    net.eval()
    with torch.no_grad():
        x, y = batch(200)
        return (net(x).argmax(1) == y).float().mean()
def copied(net):
    return copy.deepcopy(net)
"""
SICK = {
    "an average without buffers": "evaluate(train(copied, lambda a, n: follow(a, n, False)))",
    "an average in a wrapper": """
class Average(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.inner = copy.deepcopy(net)
    def forward(self, x):
        return self.inner(x)
evaluate(train(Average, lambda a, n: follow(a, n, False)))""",
    "loaded without the statistics": """
evaluate(train(copied, lambda a, n: a.load_state_dict(dict(n.named_parameters()), strict=False)))""",
    "statistics that were reset": """
net = train(lambda n: n, lambda a, n: None)
net[1].reset_running_stats()
evaluate(net)""",
}
HEALTHY = {
    "an average with buffers": "evaluate(train(copied, lambda a, n: follow(a, n, True)))",
    "torch's average, which copies the buffers": """
evaluate(train(lambda n: AveragedModel(n, multi_avg_fn=get_ema_multi_avg_fn(0.9)), lambda a, n: a.update_parameters(n)))""",
    "torch's average, measured afterwards": """
average = train(lambda n: AveragedModel(n), lambda a, n: a.update_parameters(n))
update_bn([batch() for _ in range(20)], average)
evaluate(average)""",
    "a network of its own": "evaluate(train(lambda n: make(), lambda a, n: None))",
    "a copy of the first weights": "evaluate(train(copied, lambda a, n: None))",
    "before training": "evaluate(make()); evaluate(train(lambda n: n, lambda a, n: None))",
    "a new network for each fold": """
for fold in range(3):
    net = make()
    evaluate(net)
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), 0.05)
    for step in range(60):
        x, y = batch()
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    evaluate(net)""",
}


def codes(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT + script)
    session = Session(budget=0.0)
    launch(Target("train.py"), session, lambda outcome: None)
    return [finding.code for finding in judge(collect(session)).findings]


@pytest.mark.parametrize("name", SICK)
def test_weights_from_training_with_statistics_of_a_new_layer(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes(SICK[name], tmp_path, monkeypatch) == ["MOD005"]


@pytest.mark.parametrize("name", HEALTHY)
def test_statistics_that_fit_their_weights(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "MOD005" not in codes(HEALTHY[name], tmp_path, monkeypatch)


def test_a_model_trained_in_eval_mode_has_that_fault_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "evaluate(train(copied, lambda a, n: follow(a, n, False), train_mode=False))"
    assert codes(script, tmp_path, monkeypatch) == ["MOD001"]
