"""Views that treat dimensions as if they lay in another order: found; views that cut and join neighbours: not."""

import itertools
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from torchclinic.observe.collecting import collect
from torchclinic.observe.collectors.memory.renamed import order_of_view
from torchclinic.observe.session import Session
from torchclinic.report.model import Finding
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch


@pytest.mark.parametrize(
    ("before", "after", "order"),
    [
        ((8, 60, 3), (8, 3, 60), (0, 2, 1)),
        ((8, 32, 32, 3), (8, 3, 32, 32), (0, 3, 1, 2)),
        ((8, 4, 60, 16), (8, 60, 64), (0, 2, 1, 3)),
        ((8, 60, 64), (8, 4, 60, 16), (0, 2, 1, 3)),
        ((8, 64, 4, 4), (8, 16, 64), (0, 2, 3, 1)),
        ((8, 60, 64), (8, 60, 4, 16), ()),
        ((8, 1, 28, 28), (8, 28, 28, 1), ()),
        ((8, 10, 6), (8, 20, 3), ()),  # cut anew: in no order of the dimensions
        ((8, 3, 32, 32), (8, 64, 48), ()),
    ],
)
def test_the_order_that_would_have_been_needed(before: tuple[int, ...], after: tuple[int, ...], order: tuple[int, ...]) -> None:
    assert order_of_view(before, after) == order


@settings(max_examples=60, deadline=None)
@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=4), data=st.data())
def test_merging_or_splitting_neighbours_is_as_the_elements_lie(shape: list[int], data: st.DataObject) -> None:
    fine = (7, *shape)
    cut = sorted(data.draw(st.sets(st.integers(2, len(fine))), label="boundaries") | {1, len(fine)})
    coarse = (7, *(int(torch.tensor(fine[a:b]).prod()) for a, b in itertools.pairwise(cut)))
    assert order_of_view(fine, coarse) == order_of_view(coarse, fine) == ()


@settings(max_examples=60, deadline=None)
@given(shape=st.permutations([2, 3, 5, 7]), order=st.permutations([1, 2, 3, 4]))
def test_of_different_sizes_the_order_is_the_one_permutation_that_fits(shape: list[int], order: list[int]) -> None:
    before = (4, *shape)
    after = tuple(torch.empty(before).permute(0, *order).shape)
    assert order_of_view(before, after) == (() if after == before else (0, *order))


HEADS = """
import torch
from torch import nn
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.head = nn.Linear(16, 48), nn.Linear(16, 2)
    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (part.SPLIT for part in self.qkv(x).split(c, 2))
        mixed = (q @ k.transpose(2, 3)).softmax(3) @ v
        return self.head(mixed.MERGE.mean(1))
model, optimizer = Net(), None
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
for _ in range(12):
    y = torch.randint(0, 2, (16,))
    x = torch.randn(16, 10, 16) + y[:, None, None]
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
SPLIT, MERGE = "view(b, t, 4, 4).transpose(1, 2)", "transpose(1, 2).reshape(b, t, c)"


def findings(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(script)
    session = Session(budget=0.0)
    launch(Target("train.py"), session, lambda outcome: None)
    return [finding for finding in judge(collect(session)).findings if finding.severity != "info"]


@pytest.mark.parametrize(
    ("split", "merge", "fix"),
    [
        ("reshape(b, 4, t, 4)", MERGE, "`.view(16, 10, 4, 4)` first, then `.permute(0, 2, 1, 3)`."),
        (SPLIT, "reshape(b, t, c)", "`.permute(0, 2, 1, 3)` first, then `.reshape(16, 10, 16)`."),
    ],
    ids=["split", "merged"],
)
def test_heads_that_are_not_transposed(split: str, merge: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [found] = findings(HEADS.replace("SPLIT", split).replace("MERGE", merge), tmp_path, monkeypatch)
    assert (found.code, found.fix) == ("SHP008", fix)


def test_heads_that_are_transposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert findings(HEADS.replace("SPLIT", SPLIT).replace("MERGE", MERGE), tmp_path, monkeypatch) == []
