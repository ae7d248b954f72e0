"""What the rules about shapes and memory let pass: a case for each clause of their *When this is fine*."""

from pathlib import Path

import pytest

from rules.when_fine import HEALTHY, SICK, Case, check, healed, pair, params
from torchclinic.rules.specimens import changed

PAIRWISE = changed(
    HEALTHY["SHP001"],
    (
        "torch.nn.functional.mse_loss(model(x[i]).squeeze(1), y[i])",
        "p = model(x[i]).squeeze(1)\n    (p[:, None] - y[i]).square().mean()",
    ),
)
MIXING = """
import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.score, self.last = nn.Linear(6, 1), nn.Linear(6, 2)

    def forward(self, x):
        weight = self.score(x).softmax(0)
        return self.last((weight * x).sum(0))


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(8):
    x = torch.randn(5, 16, 6)
    y = (x[0, :, 0] > 0).long()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
TIME_FIRST = """
import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.last = nn.GRU(6, 8), nn.Linear(8, 2)

    def forward(self, x):
        return self.last(self.rnn(x)[0])


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(8):
    x = torch.randn(5, 16, 6)
    y = (x[..., 0] > 0).long()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten()).backward()
    optimizer.step()
"""
CONTRAST = """
import torch
from torch import nn

torch.manual_seed(0)


class Alike(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 8)

    def forward(self, x):
        h = nn.functional.normalize(self.body(x), dim=1)
        return h @ h.T


model = Alike()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(8):
    x = torch.randn(16, 6)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x) - 9 * torch.eye(16), torch.arange(16).roll(1)).backward()
    optimizer.step()
"""
BY_THE_BATCH = changed(
    SICK["SHP002"],
    ("nn.Linear(6, 1), nn.Linear(6, 2)", "nn.BatchNorm1d(6, track_running_stats=False), nn.Linear(6, 2)"),
    ("        weight = self.score(x).softmax(0)\n", ""),
    ("(weight * x).sum(1)", "self.score(x.mean(1))"),
)
GRAPH = changed(
    SICK["SHP002"], ("for _ in range(8):\n    x = torch.randn(16, 5, 6)\n", "x = torch.randn(16, 5, 6)\nfor _ in range(8):\n")
)
MASKS = HEALTHY["SHP003"] + "alike = (y[:, None] == y).float().mean()\n"
SAME = HEALTHY["SHP003"] + "column = y.unsqueeze(1)\nalike = (column == y).float().mean()\n"
READ = changed(HEALTHY["SHP005"], (".expand(8, 4).clone()\n    mask[0, 1] = 0", ".expand(8, 4)\n    total = mask[0, 1] + 1"))
FILLED = changed(SICK["SHP005"], ("mask[0, 1] = 0", "mask.zero_()"))
TOGETHER = changed(SICK["SHP007"], ('{"first": features[0], ', '{"first": features[0], "rest": features[1:], '))
ONE = """
import torch
from torch import nn

torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv1d(1, 8, 3, padding=1), nn.Linear(8, 2)

    def forward(self, x):
        x = x.view(16, 1, 10)
        return self.head(self.conv(x).relu().mean(2))

model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(4):
    x, y = torch.randn(16, 10, 1), torch.arange(16) % 2
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
NAMED = changed(SICK["SHP008"], ("x.view(x.shape[0], 3, 10)", "x.view(x.shape[0], 30).view(x.shape[0], 3, 10)"))
ANEW = changed(SICK["SHP008"], ("x.view(x.shape[0], 3, 10)", "x.flatten(1).unflatten(1, (3, 10))"))
WINDOWS = """
import torch
from torch import nn

torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 8), nn.Linear(8, 2)

    def forward(self, x):
        windows = x.view(192, 10, 3)
        return self.head(self.body(windows).relu().mean(1)).unflatten(0, (16, 12)).mean(1)

model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(4):
    x, y = torch.randn(16, 10, 12, 3), torch.arange(16) % 2
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""

CASES = [
    healed("SHP001", "One side is a single number", ("model(x[i]), y[i]", "model(x[i]), torch.tensor(0.5)")),
    healed("SHP001", "a row that is meant for every sample", ("Linear(8, 1)", "Linear(8, 5)"), ("y[i]", "y[i, :5]")),
    pair("SHP001", "Pairwise differences written with an inserted axis", PAIRWISE, ("p[:, None] - y[i]", "model(x[i]) - y[i]")),
    pair(
        "SHP002",
        "Models whose first dimension is not the batch",
        MIXING,
        ("torch.randn(5, 16, 6)", "torch.randn(16, 5, 6)"),
        ("x[0, :, 0]", "x[:, 0, 0]"),
        (".sum(0)", ".sum(1)"),
        answer="undecided",
    ),
    Case("SHP002", "(time first)", TIME_FIRST, answer="undecided"),
    Case("SHP002", "that compare samples on purpose", CONTRAST, answer="undecided"),
    Case("SHP002", "that normalize by the batch", BY_THE_BATCH, answer="undecided"),
    Case("SHP002", "one fixed set of rows in every step", GRAPH),
    Case("SHP003", "an axis inserted on the same line", MASKS),
    Case("SHP003", "both sides from one tensor", SAME),
    healed("SHP003", "a result that is not reduced as a whole", ("== y).sum().item()", "== y).sum(1)[0].item()")),
    pair("SHP005", "reading an expanded tensor", READ, ("total = mask[0, 1] + 1", "mask[0, 1] = 0")),
    Case("SHP005", "Filling all of it with one number", FILLED),
    Case("SHP006", "Where another layout is needed", SICK["SHP006"], answer="info"),
    Case("SHP006", "never an alarm", SICK["SHP006"], answer="info"),
    pair("SHP007", "packed parameters that are saved together", TOGETHER, (', "rest": features[1:]', "")),
    pair(
        "SHP008",
        "A dimension of one that moves",
        ONE,
        ("torch.randn(16, 10, 1)", "torch.randn(16, 10, 2)"),
        ("16, 1, 10", "16, 2, 10"),
        ("Conv1d(1", "Conv1d(2"),
    ),
    Case("SHP008", "a tensor whose dimensions were named by a view just before", NAMED),
    pair(
        "SHP008", "then write `flatten` and `unflatten`", ANEW, ("x.flatten(1).unflatten(1, (3, 10))", "x.reshape(len(x), 3, 10)")
    ),
]
GUARDS = [
    pair(
        "SHP008",
        "a view that makes other rows: windows cut out of recordings",
        WINDOWS,
        ("x.view(192, 10, 3)", "x.view(16, 12, 10, 3).flatten(0, 1)"),
    )
]


@pytest.mark.parametrize("case", params(CASES + GUARDS))
def test_a_clause_lets_its_case_pass(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    check(case, tmp_path, monkeypatch)
