"""Padding masks, by what they hide of the model's own input."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

HEAD = """
import torch
from torch import nn
torch.manual_seed(0)
def text(rows=16, width=12):
    tokens = torch.randint(1, 20, (rows, width))
    tokens[torch.arange(width) >= torch.randint(4, width + 1, (rows, 1))] = 0
    return tokens
class Written(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Embedding(20, 16), nn.Linear(16, 2)
    def forward(self, tokens):
        x = self.table(tokens); scores = x @ x.transpose(1, 2)
        return self.last((scores.masked_fill(MASK, float("-inf")).softmax(2) @ x).mean(1))
class Signals(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.last = nn.MultiheadAttention(6, 2, batch_first=True), nn.Linear(6, 2)
    def forward(self, x):
        empty = (x == 0).all(2)
        return self.last(self.attention(x, x, x, key_padding_mask=MASK)[0].mean(1))
def train(model, batch):
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(6):
        x = batch(); optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), torch.arange(16) % 2).backward(); optimizer.step()
"""
SIGNALS = "train(Signals(), lambda: torch.randn(16, 12, 6) * (text() > 0)[..., None])"
CASES = {
    "written-out": ("(tokens == 0)[:, None]", "train(Written(), text)", False),
    "written-out-inverted": ("(tokens != 0)[:, None]", "train(Written(), text)", True),
    "zeros": ("empty", SIGNALS, False),
    "zeros-inverted": ("~empty", SIGNALS, True),
    "causal-as-wide-as-the-batch": (
        "torch.ones(16, 16, dtype=torch.bool).triu(1)",
        "train(Written(), lambda: text(16, 16))",
        False,
    ),
    "no-padding": ("torch.zeros_like(tokens, dtype=torch.bool)[:, None]", "train(Written(), text)", False),
}


@pytest.mark.parametrize("name", CASES)
def test_a_mask_that_leaves_only_padding_is_the_wrong_way_round(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask, script, told = CASES[name]
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text((HEAD + script).replace("MASK", mask))
    session = Session()
    assert launch(Target("train.py"), session, lambda outcome: None).exit_code == 0
    assert [finding.code for finding in judge(collect(session), select=["MOD009"]).findings] == ["MOD009"] * told
