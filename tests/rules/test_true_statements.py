"""Statements that were false once: who is named first, where, and by which name."""

from pathlib import Path

import pytest

from rules.test_occasions import judged
from torchclinic.observe.records import LabelBatch, LabelStream
from torchclinic.rules.dat003_ordered_labels import check as ordered
from torchclinic.rules.rule import discover

ROOTS = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(0, 3, (256,))
encoder, head = nn.Sequential(nn.Linear(8, 32), nn.ReLU()), nn.Linear(32, 3)
optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=RATE)
for epoch in range(8):
    for start in range(0, 256, 16):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(encoder(x[start : start + 16])), y[start : start + 16]).backward()
        optimizer.step()
"""


def test_what_one_model_hands_to_another_is_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [finding.code for finding in judged(ROOTS.replace("RATE", "1e30"), tmp_path, monkeypatch).findings]
    assert found
    assert "DAT008" not in found


def test_data_that_are_not_finite_are_named_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = ROOTS.replace("RATE", "0.05").replace("encoder, head", "x[40, 3] = torch.nan\nencoder, head")
    assert judged(script, tmp_path, monkeypatch).findings[0].code == "DAT008"


FROZEN = """
import torch
from torch import nn

torch.manual_seed(0)
train_x, test_x = torch.randn(64, 8), torch.randn(32, 8)
y = torch.randint(0, 3, (64,))
encoder, head = nn.Sequential(nn.Linear(8, 16), nn.ReLU()).requires_grad_(False), nn.Linear(16, 3)
nn.init.constant_(encoder[0].bias, -4.0)  # nearly all rows give zeros
optimizer = torch.optim.SGD(head.parameters(), lr=0.05)
for epoch in range(4):
    for start in range(0, 64, 8):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(encoder(train_x[start : start + 8])), y[start : start + 8]).backward()
        optimizer.step()
    with torch.no_grad():
        test_features = encoder(test_x)
        guess = head(test_features).argmax(1)
"""


def test_activations_are_no_rows_that_were_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "EVA003" not in [finding.code for finding in judged(FROZEN, tmp_path, monkeypatch).findings]


def test_labels_of_more_classes_than_before_are_counted() -> None:
    batches = [
        LabelBatch(step, "a.py:1", 2 + step, (4, 4, *[0] * step), (), (), ascending=False, weighted=False) for step in range(10)
    ]
    assert list(ordered(LabelStream("a.py:1", batches, steps=10))) == []


CENTERS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.centers = torch.randn(3, 8, requires_grad=True)

    def forward(self, x):
        return -torch.cdist(self.body(x), self.centers)

torch.manual_seed(0)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for step in range(12):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(torch.randn(8, 4)), torch.randint(0, 3, (8,))).backward()
    optimizer.step()
"""


def test_a_tensor_is_called_by_what_its_line_assigns_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = next(f for f in judged(CENTERS, tmp_path, monkeypatch).findings if f.code == "WIR005")
    assert "The tensor self.centers, shape (3, 8)" in found.message


LINKS = (
    "INI002>ACT001 DAT003>ACT001 DAT006>ACT001 OPT001>ACT003 LOS001>OPT002 OPT006>GRA002 GRA002>OPT001 OPT006>NUM001 DAT001>INI003"
)


@pytest.mark.parametrize("link", LINKS.split())
def test_what_follows_from_what(link: str) -> None:
    cause, effect = link.split(">")
    follows = {module.RULE.code: module.RULE.follows for module in discover()}
    assert cause in follows[effect]
