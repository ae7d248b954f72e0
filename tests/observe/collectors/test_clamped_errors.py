"""Errors that are clamped before they become a loss, and what only looks like it."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from observer_fixtures import observe
from torchclinic.observe.collecting import collect
from torchclinic.observe.records import ClampedError
from torchclinic.rules.judging import judge

CLAMPED = {
    "square": "(q - y).clamp(-1, 1).pow(2).mean()",
    "the other way round": "torch.clamp(y - q, min=-1, max=1).square().sum() / len(q)",
    "size": "(q - y).abs().clamp(max=1.0).mean()",
    "hardtanh and a weight": "(w * F.hardtanh(q - y) ** 2).mean()",
    "loss with zero": "F.mse_loss(torch.clip(q - y, -1, 1), torch.zeros_like(y))",
    "beside another term": "(q - y).clamp(-1, 1).pow(2).mean() + 1e-4 * net[0].weight.square().sum()",
}
REACHED = {
    "Huber by hand": "(0.5 * (q - y).abs().clamp(max=1) ** 2 + (q - y).abs() - (q - y).abs().clamp(max=1)).mean()",
    "the target": "(q - y.clamp(-1, 1)).pow(2).mean()",
    "prediction and target": "(q.clamp(-1, 1) - y.clamp(-1, 1)).abs().mean()",
    "the better of two": "torch.max((q - y) ** 2, (old + (q - old).clamp(-0.2, 0.2) - y) ** 2).mean()",
    "a ratio": "-torch.min(q.exp() * y, q.exp().clamp(0.8, 1.2) * y).mean()",
    "a margin": "(1 + q - y).clamp(min=0).mean() + (y - q).clamp(min=0).mean()",
    "a gradient by hand": "((q - y).detach().clamp(-1, 1) * q).mean()",
    "for the record": "F.mse_loss(q, y) + 0 * (q - y).clamp(-1, 1).detach().mean()",
    "features": "F.mse_loss(net[2]((F.relu(net[0](x)) - mean).clamp(-1, 1))[:, 0], y)",
    "a term": "(q - y).clamp(-1, 1).pow(2).mean() + F.l1_loss(q, y)",
}


def run(expression: str, scale: float, outliers: float = 0.0, rate: float = 1e-2, steps: int = 6) -> list[ClampedError]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), rate)
    loss = compile(expression, "loss", "eval")

    def train() -> None:
        for _ in range(steps):
            x = torch.randn(64, 6)
            y = scale * x.sum(1) / 6**0.5 + 30 * (torch.rand(64) < outliers)
            q: Tensor = net(x)[:, 0]
            names = {"q": q, "y": y, "x": x, "net": net, "torch": torch, "F": F, "len": len}
            names |= {"w": torch.rand(64), "old": q.detach() + 0.1, "mean": torch.zeros(32)}
            optimizer.zero_grad()
            eval(loss, names).backward()
            optimizer.step()

    session, _ = observe(train)
    found = collect(session)
    reported.append([finding.code for finding in judge(found).findings])
    return found.of(ClampedError)


reported: list[list[str]] = []


@pytest.mark.parametrize("name", CLAMPED)
def test_an_error_whose_only_way_to_the_loss_is_a_clamp_is_recorded(name: str) -> None:
    [record] = run(CLAMPED[name], 10.0)
    assert record.high == 1.0
    assert 0.5 < min(record.shares) <= max(record.shares) < 1  # of N(0, 100), 92 % lie beyond ±1
    assert min(record.squares) > 0.9


@pytest.mark.parametrize("name", REACHED)
def test_what_is_reached_by_a_gradient_all_the_same_is_not(name: str) -> None:
    assert run(REACHED[name], 10.0) == []


def test_shares_are_those_by_hand() -> None:
    record = ClampedError("", "clamp", -1, 1)
    record.add([0.25, 9.0, 12.0])
    assert (record.shares, record.squares) == ([0.25], [0.75])


def test_it_is_reported_where_the_loss_stands_and_not_where_it_falls() -> None:
    run(CLAMPED["square"], 100.0, rate=1e-3, steps=60)
    assert "OPT006" in reported[-1]
    run(CLAMPED["square"], 1.0, outliers=0.1, steps=60)
    assert "OPT006" not in reported[-1]
