"""Weight decay as a term of an adaptive optimizer's gradient, and beside it."""

import pytest
import torch
from torch import nn

from torchclinic.observe.collecting import collect
from torchclinic.observe.records import DecayUse
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.rules.opt005_weight_decay_dominates import check


def codes(kind: type[torch.optim.Optimizer], decay: float) -> list[str]:
    torch.manual_seed(0)
    x, c = torch.randn(600, 20), torch.randn(20, 5)
    y = (x @ c + 0.5 * torch.randn(600, 5)).argmax(1)
    with Session(budget=1e9) as session:  # which steps are looked at must not depend on the time they take
        net = nn.Sequential(nn.Linear(20, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 5))
        optimizer = kind(net.parameters(), lr=1e-3, weight_decay=decay)  # type: ignore[call-arg]
        for _ in range(20):
            for rows in torch.randperm(600).split(60):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
                optimizer.step()
    return [finding.code for finding in judge(collect(session)).findings if finding.code == "OPT005"]


@pytest.mark.parametrize("decay", [1e-4, 1e-2])
def test_usual_decays_in_adam_are_fine(decay: float) -> None:
    assert codes(torch.optim.Adam, decay) == []


def test_a_tenth_is_too_much_in_adam_and_not_in_adamw() -> None:
    assert codes(torch.optim.Adam, 0.1) == ["OPT005"]
    assert codes(torch.optim.AdamW, 0.1) == []


def use(ratios: list[float], norms: list[float], loss: float, decoupled: bool = False) -> DecayUse:
    steps = [*range(9), 50, 100]
    return DecayUse("Adam", "", 0.1, 1e-3, decoupled, steps, ratios, norms, adaptive=True, loss=loss)


def test_each_condition_counts() -> None:
    won, shrunk = [0.1] * 8 + [2.0] * 3, [10.0] * 9 + [7.0, 4.0]
    assert len(list(check(use(won, shrunk, loss=4.9)))) == 1  # the penalty is 0.1 / 2 · 10² = 5
    assert list(check(use(won, shrunk, loss=5.1))) == []
    assert list(check(use(won, [10.0] * 11, loss=1.0))) == []
    assert list(check(use([0.1] * 11, shrunk, loss=1.0))) == []
    assert list(check(use(won, shrunk, loss=1.0, decoupled=True))) == []
    assert list(check(use(won, shrunk, loss=float("nan")))) == []
