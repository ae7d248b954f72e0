"""Loops without an optimizer whose updates go into a local name, and updates that are meant to leave the parameter alone."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

LOOP = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(200, 6)
y = (x @ torch.randn(6, 3)).argmax(1)
w1, b1 = (0.4 * torch.randn(6, 16)).requires_grad_(), torch.zeros(16, requires_grad=True)
w2, b2 = (0.3 * torch.randn(16, 3)).requires_grad_(), torch.zeros(3, requires_grad=True)
params, lr = [w1, b1, w2, b2], 0.1
speed = [torch.zeros_like(p) for p in params]
def loss_of(w1, b1, w2, b2): return nn.functional.cross_entropy(torch.tanh(x @ w1 + b1) @ w2 + b2, y)
SETUP
for step in range(12):
    loss = loss_of(*params)
    UPDATE
"""
BACKWARD = "loss.backward()\n    "
CLEAR = "\n    for p in params: p.grad = None"
SICK = {
    "plain": BACKWARD + "with torch.no_grad():\n        for p in params: p = p - lr * p.grad" + CLEAR,
    "of-the-values": BACKWARD + "for p in params: p = p.data - lr * p.grad.data" + CLEAR,
    "recorded": BACKWARD + "for p in params: p = p - lr * p.grad" + CLEAR,
    "one-call": BACKWARD + "with torch.no_grad():\n        for p in params: p = torch.add(p, p.grad, alpha=-lr)" + CLEAR,
    "with-momentum": BACKWARD
    + """with torch.no_grad():
        for p, v in zip(params, speed): v.mul_(0.9).add_(p.grad); p = p - lr * v"""
    + CLEAR,
    "gradients-by-hand": """with torch.no_grad():
        for p, g in zip(params, torch.autograd.grad(loss, params)): p = p - lr * g""",
}
HEALTHY = {
    "in-place": BACKWARD + "with torch.no_grad():\n        for p in params: p -= lr * p.grad" + CLEAR,
    "copied": BACKWARD + "with torch.no_grad():\n        for p in params: p.copy_(p - lr * p.grad)" + CLEAR,
    "data-assigned": BACKWARD + "for p in params: p.data = p.data - lr * p.grad" + CLEAR,
    "a-new-list": BACKWARD + "with torch.no_grad(): params = [(p - lr * p.grad).requires_grad_() for p in params]",
    "line-search": BACKWARD
    + """with torch.no_grad():
        rates = [loss_of(*[p - r * p.grad for p in params]) for r in (0.01, 0.1, 1.0)]"""
    + CLEAR,
    "inner-steps": """moved = [p - lr * g for p, g in zip(params, torch.autograd.grad(loss, params, create_graph=True))]
    loss_of(*moved).backward()
    with torch.no_grad():
        for p in params: p -= lr * p.grad"""
    + CLEAR,
    "gradients-alone": BACKWARD + "sizes = [p.grad.norm() for p in params]" + CLEAR,
    "noise": BACKWARD + "for p in params: q = p + 0.1 * torch.randn_like(p)" + CLEAR,
    "adversarial-input": "x = x.detach().requires_grad_(); loss_of(*params).backward(); x = x + 0.01 * x.grad.sign()",
}


def found(update: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setup: str = "") -> list[str]:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    script = LOOP.replace("UPDATE", update).replace("SETUP", setup)
    (tmp_path / "train.py").write_text(script)
    session = Session()
    outcome = launch(Target("train.py"), session, lambda outcome: None)
    assert outcome.exit_code == 0
    lines = script.splitlines()
    findings = [finding for finding in judge(collect(session)).findings if finding.code == "WIR008"]
    return [lines[int(finding.line.rpartition(":")[2]) - 1].strip() for finding in findings]


@pytest.mark.parametrize("name", SICK)
def test_an_update_that_only_a_local_name_gets(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [line] = found(SICK[name], tmp_path, monkeypatch)
    assert line in [text.strip() for text in SICK[name].splitlines()]
    assert "p = " in line


@pytest.mark.parametrize("name", HEALTHY)
def test_updates_that_reach_the_parameter_or_are_no_updates(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(HEALTHY[name], tmp_path, monkeypatch) == []


def test_nothing_is_said_where_an_optimizer_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    update = SICK["plain"].replace(CLEAR, "\n    optimizer.step(); optimizer.zero_grad()")
    assert found(update, tmp_path, monkeypatch, "optimizer = torch.optim.SGD(params, 0.1)") == []
