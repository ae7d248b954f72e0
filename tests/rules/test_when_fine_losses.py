"""What the rules about losses let pass: a case for each clause of their *When this is fine*."""

from pathlib import Path

import pytest

from rules.when_fine import SICK, Case, check, healed, pair, params
from torchclinic.rules.specimens import CLASSIFIER, REGRESSION, changed

LOGITS = "model(xb), yb"
DIVERGENCE = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 6)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(6):
    x = torch.randn(8, 5, 4)
    wanted = torch.randn(8, 5, 6).softmax(1)
    optimizer.zero_grad()
    nn.functional.kl_div(model(x).log_softmax(1), wanted, reduction="batchmean").backward()
    optimizer.step()
"""
OUTLIERS = changed(
    REGRESSION,
    ("nn.Linear(8, 1))", "nn.Linear(8, 1), nn.Sigmoid())"),
    (" / 2\n", "\ny = y.sigmoid()\ny[::40] = 3.0\n"),
    ("(80, 4)", "(800, 4)"),
    ("range(0, 80, 8)", "range(0, 800, 80)"),
    ("start + 8", "start + 80"),
)
GAME = changed(
    CLASSIFIER,
    ("optimizer = ", "attack = nn.Linear(4, 4)\nattacker = torch.optim.SGD(attack.parameters(), lr=0.3)\noptimizer = "),
    (
        "    optimizer.step()\n",
        """    optimizer.step()
    attacker.zero_grad()
    gain = -nn.functional.cross_entropy(model(attack(x)), y)
    gain.backward()
    attacker.step()
""",
    ),
)
SURE = changed(SICK["LOS009"], ("optimizer = ", "with torch.no_grad():\n    y = model(x).argmax(1)\noptimizer = "))
TIED = """
import torch
from torch import nn

torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.body, self.last = nn.Embedding(40, 400), nn.Linear(400, 400), nn.Linear(400, 40, bias=False)
        self.last.weight = self.table.weight

    def forward(self, tokens):
        return self.last(nn.functional.layer_norm(self.body(self.table(tokens)), (400,)))

model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-5)
for _ in range(4):
    tokens = torch.randint(0, 40, (16,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(tokens), (tokens + 1) % 40).backward()
    optimizer.step()
"""
RATIO = "    loss = loss / loss.detach()"
RARE = changed(
    SICK["LOS012"],
    ("counts / len(y)", "torch.tensor([5.0, 2.0, 1.0])"),
    ("weight=weight)", "weight=weight, ignore_index=0)"),
    ("torch.tensor([0.7, 0.2, 0.1]), 80", "torch.tensor([0.8, 0.1, 0.1]), 320"),
    ("(80, 4)", "(320, 4)"),
    ("range(0, 80, 8)", "range(0, 320, 32)"),
    ("start + 8", "start + 32"),
)

BALANCED = changed(
    SICK["LOS014"],
    ("nn.Linear(60, 8), nn.Linear(4, 60)", "nn.Linear(400, 8), nn.Linear(4, 400)"),
    ("torch.randn(64, 60)", "torch.randn(64, 400)"),
    ("error + divergence", "error + 0.15 * divergence"),
)

CASES = [
    pair(
        "LOS001",
        "A single class is LOS004",
        changed(SICK["LOS004"], (LOGITS, "model(xb).softmax(1), yb")),
        ("nn.Linear(8, 1)", "nn.Linear(8, 3)"),
    ),
    healed("LOS002", "`binary_cross_entropy` takes probabilities", ("binary_cross_entropy_with_logits", "binary_cross_entropy")),
    pair(
        "LOS003",
        "A scaled bounded function",
        changed(CLASSIFIER, (LOGITS, "30 * torch.tanh(model(xb) / 30), yb")),
        ("30 * torch.tanh(model(xb) / 30)", "torch.tanh(model(xb))"),
    ),
    pair(
        "LOS005",
        "an epsilon inside the log",
        changed(CLASSIFIER, ("cross_entropy(model(xb)", "nll_loss((model(xb).softmax(1) + 1e-3).log()")),
        ("+ 1e-3", "+ 0.1"),
    ),
    pair(
        "LOS005",
        "`kl_div` over another than the last dimension",
        DIVERGENCE,
        ("torch.randn(8, 5, 4)", "torch.randn(8, 4)"),
        ("torch.randn(8, 5, 6).softmax(1)", "torch.randn(8, 6).softmax(1)"),
        (".log_softmax(1)", ""),
    ),
    pair(
        "LOS006",
        "Symmetric losses",
        changed(REGRESSION, ("(model(xb), yb)", "(yb, model(xb))"), (" / 2\n", "\ny = y.sigmoid()\n")),
        ("mse_loss(yb, model(xb))", "binary_cross_entropy(yb, model(xb).sigmoid())"),
    ),
    Case(
        "LOS006",
        "for `kl_div` this is a warning",
        changed(DIVERGENCE, ("model(x).log_softmax(1), wanted", "wanted.log(), model(x).softmax(1)")),
        answer="warning",
    ),
    pair("LOS007", "A few outliers", OUTLIERS, ("y[::40]", "y[::4]")),
    pair("LOS008", "One player of an adversarial game", GAME, ("    optimizer.step()\n", ""), answer="undecided"),
    pair("LOS009", "a trained or pretrained network", SURE, ("argmax(1)", "argmin(1)")),
    pair("LOS009", "A tied embedding", TIED, ("self.last.weight = self.table.weight", "nn.init.normal_(self.last.weight)")),
    healed("LOS009", "logits that the script multiplies by a factor", (LOGITS, "0.5 * model(xb), yb")),
    healed("LOS009", "weighted losses", (LOGITS, LOGITS + ", weight=torch.ones(3)")),
    pair(
        "LOS010",
        "Several terms that are each divided by their own size",
        changed(
            SICK["LOS010"], (RATIO, RATIO + "\n    size = model[0].weight.square().sum()\n    loss = loss + size / size.detach()")
        ),
        ("\n    loss = loss + size / size.detach()", ""),
    ),
    pair("LOS012", "classes that were not seen", RARE, (", ignore_index=0", "")),
    pair("LOS014", "A small factor before the sum", BALANCED, ("0.15 * divergence", "divergence")),
    healed(
        "LOS014",
        "a sum over parameters",
        ("error + divergence", "error + divergence / 64 + 5 * sum(p.square().sum() for p in decode.parameters())"),
    ),
    healed(
        "LOS014",
        "the older argument `size_average=False`",
        ("mse_loss(recovered, x)", "mse_loss(recovered, x, size_average=False)"),
        (
            "torch.manual_seed(0)",
            "import warnings\nwarnings.simplefilter('ignore')  # of torch, about the argument\ntorch.manual_seed(0)",
        ),
    ),
]


@pytest.mark.parametrize("case", params(CASES))
def test_a_clause_lets_its_case_pass(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    check(case, tmp_path, monkeypatch)
