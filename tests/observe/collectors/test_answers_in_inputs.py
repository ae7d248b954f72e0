"""Sequence models that can see the token they are to predict, and those that look as if they could."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.records import AnswerInInput
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

HEAD = """
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
V, T = 12, 14
def text(rows):
    return (torch.randint(0, V, (rows, 1)) + torch.arange(T + 1) * torch.randint(1, 4, (rows, 1))) % V
def steps(model, loss):
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(8):
        optimizer.zero_grad(); loss(model, text(16)).backward(); optimizer.step()
def ahead(model, rows):
    return F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
def copying(model, rows):
    return F.cross_entropy(model(rows[:, :-1]).transpose(1, 2), rows[:, :-1])
class Reader(nn.Module):
    def __init__(self, both=False):
        super().__init__()
        self.table, self.last = nn.Embedding(V, 16), nn.Linear(32 if both else 16, V)
        self.rnn = nn.LSTM(16, 16, batch_first=True, bidirectional=both)
    def forward(self, tokens): return self.last(self.rnn(self.table(tokens))[0])
class Attention(nn.Module):
    def __init__(self, causal=True):
        super().__init__()
        self.table, self.place, self.last = nn.Embedding(V + 1, 16), nn.Parameter(torch.randn(T, 16)), nn.Linear(16, V)
        self.layer, self.causal = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), causal
    def forward(self, tokens, mask=None):
        if self.causal: mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.last(self.layer(self.table(tokens) + self.place[: tokens.shape[1]], src_mask=mask))
"""
SICK = {
    "no-mask": "steps(Attention(causal=False), ahead)",
    "both-directions": "steps(Reader(both=True), ahead)",
    "not-shifted": "steps(Reader(), copying)",
    "mask-transposed": """
mask = nn.Transformer.generate_square_subsequent_mask(T).T
steps(Attention(causal=False), lambda model, rows: F.cross_entropy(model(rows[:, :-1], mask).flatten(0, 1), rows[:, 1:].flatten()))
""",
    "time-first": """
class First(Reader):
    def forward(self, tokens): return super().forward(tokens.T).transpose(0, 1)
def loss(model, rows): return F.cross_entropy(model(rows[:, :-1].T).reshape(-1, V), rows[:, 1:].T.reshape(-1))
steps(First(both=True), loss)
""",
    "shifted-inside-the-model": """
class Inside(Attention):
    def forward(self, tokens):
        logits = super().forward(tokens)
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()), logits
steps(Inside(causal=False), lambda model, rows: model(rows[:, :T])[0])
""",
}
HEALTHY = {
    "causal-mask": "steps(Attention(), ahead)",
    "mask-given": """
mask = nn.Transformer.generate_square_subsequent_mask(T)
steps(Attention(causal=False), lambda model, rows: F.cross_entropy(model(rows[:, :-1], mask).flatten(0, 1), rows[:, 1:].flatten()))
""",
    "one-direction": "steps(Reader(), ahead)",
    "autoencoder": """
class Bottleneck(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.code, self.back = nn.Embedding(V, 8), nn.Linear(8 * T, 24), nn.Linear(24, T * V)
    def forward(self, tokens): return self.back(self.code(self.table(tokens).flatten(1)).relu()).view(-1, T, V)
steps(Bottleneck(), copying)
""",
    "masked-tokens": """
def loss(model, rows):
    rows = rows[:, :-1]; hidden = torch.rand(rows.shape) < 0.3
    return F.cross_entropy(model(rows.masked_fill(hidden, V)).transpose(1, 2), rows.masked_fill(~hidden, -100))
steps(Attention(causal=False), loss)
""",
    "prefix": """
class Prefix(Attention):
    def forward(self, tokens):
        mask = nn.Transformer.generate_square_subsequent_mask(T); mask[:6, :6] = 0
        return self.last(self.layer(self.table(tokens) + self.place, src_mask=mask))
def loss(model, rows):
    wanted = rows[:, 1:].clone(); wanted[:, :5] = -100
    return F.cross_entropy(model(rows[:, :-1]).transpose(1, 2), wanted)
steps(Prefix(causal=False), loss)
""",
    "other-tokens": """
def loss(model, rows): return F.cross_entropy(model(rows[:, :-1]).transpose(1, 2), (rows[:, :-1] * 5 + 3) % V)
steps(Reader(both=True), loss)
""",
    "teacher-forcing": """
class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Embedding(V, 16), nn.Linear(16, V)
        self.encode, self.decode = nn.GRU(16, 16, batch_first=True), nn.GRU(16, 16, batch_first=True)
    def forward(self, source, given):
        return self.last(self.decode(self.table(given), self.encode(self.table(source))[1])[0])
def loss(model, rows): return F.cross_entropy(model(rows.flip(1), rows[:, :-1]).transpose(1, 2), rows[:, 1:])
steps(Pair(), loss)
""",
}


def look(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[AnswerInInput]]:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(HEAD + script)
    session = Session()
    outcome = launch(Target("train.py"), session, lambda outcome: None)
    run = collect(session)
    assert (outcome.exit_code, run.limits) == (0, [])
    seen = run.of(AnswerInInput)
    assert all(record.reason == "" for record in seen)
    return [finding.code for finding in judge(run).findings], seen


@pytest.mark.parametrize("name", SICK)
def test_an_answer_in_the_input_is_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(SICK[name], tmp_path, monkeypatch)[0] == ["LOS011"]


@pytest.mark.parametrize("name", HEALTHY)
def test_what_cannot_be_copied_is_fine(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes, seen = look(HEALTHY[name], tmp_path, monkeypatch)
    assert codes == []
    probed = name not in ("masked-tokens", "other-tokens")
    assert [record.positions > 0 for record in seen] == [True] * probed
