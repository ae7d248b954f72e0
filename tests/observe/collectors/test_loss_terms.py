"""Losses of several terms: a sum over the batch beside a mean over it."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.records import UnevenTerms
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

SCRIPT = """
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(50, 32), nn.Tanh(), nn.Linear(32, 50))
code = nn.Linear(32, 4)
optimizer = torch.optim.Adam([*net.parameters(), *code.parameters()], 1e-3)
for _ in range(12):
    x = torch.randn(32, 50)
    hidden = net[1](net[0](x)); out = net[2](hidden); z = code(hidden)
    loss = LOSS
    optimizer.zero_grad(); loss.backward(); optimizer.step()
"""


def look(loss: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[UnevenTerms]]:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT.replace("LOSS", loss))
    session = Session()
    launch(Target("train.py"), session, lambda outcome: None)
    run = collect(session)
    codes = [finding.code for finding in judge(run).findings if finding.code.startswith("LOS01")]
    return codes, run.of(UnevenTerms)


@pytest.mark.parametrize(
    ("loss", "ratio"),
    [
        ("F.mse_loss(out, x) + z.square().sum()", 1600),
        ("sum([0.5 * (out - x).square().mean(), z.square().sum() / 2])", 1600),
        ("(z.square().sum() - z.sum()) * 3 + 2 * F.mse_loss(out, x)", 2400),
        ("F.cross_entropy(out, torch.arange(32)) + 40 * z.square().sum()", 1280),
    ],
)
def test_a_sum_that_drowns_a_mean(loss: str, ratio: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes, [record] = look(loss, tmp_path, monkeypatch)
    assert codes == ["LOS014"]
    assert record.factor / record.mean_factor * record.averaged == pytest.approx(ratio)


@pytest.mark.parametrize(
    "loss",
    [
        "F.mse_loss(out, x) + 0.01 * z.square().sum()",
        "F.mse_loss(out, x) + z.square().sum() / 32",
        "F.mse_loss(out, x, reduction='sum') + z.square().sum()",
        "F.mse_loss(out, x) + z.square().sum(1).mean()",
        "F.mse_loss(out, x) + sum(p.square().sum() for p in net.parameters())",
        "F.mse_loss(out, x) + hidden.new_tensor(1.0) * z.square().sum()",
    ],
)
def test_terms_that_are_balanced_or_no_sums_over_the_batch(loss: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(loss, tmp_path, monkeypatch)[0] == []
