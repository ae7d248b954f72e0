"""What the rules about train and eval mode let pass: a case for each clause of their *When this is fine*."""

from pathlib import Path

import pytest

from rules.when_fine import HEALTHY, Case, check, healed, pair, params
from torchclinic.rules.specimens import CLASSIFIER, changed

STEP = "    optimizer.step()\n"
BACKBONE = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(48, 4), torch.randint(0, 3, (48,))
body, head = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2)), nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 3))
model = nn.Sequential(body, head)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
model.eval()
head.train()
for start in range(0, 48, 8):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[start : start + 8]), y[start : start + 8]).backward()
    optimizer.step()
"""
NORMED = changed(
    BACKBONE,
    ("nn.Linear(4, 8), nn.Dropout(0.2)", "nn.Linear(4, 8), nn.BatchNorm1d(8).requires_grad_(False)"),
    ("nn.Dropout(0.2), nn.Linear(8, 3)", "nn.Linear(8, 3)"),
    ("head.train()\n", ""),
    ("model.parameters()", "[p for p in model.parameters() if p.requires_grad]"),
)
DROPS = changed(CLASSIFIER, ("nn.ReLU(),", "nn.ReLU(), nn.Dropout(0.2),"))
TEACHER = changed(
    DROPS,
    (
        "    optimizer.zero_grad()\n",
        """    with torch.no_grad():
        hint = model(xb).softmax(1)
    optimizer.zero_grad()
""",
    ),
    ("cross_entropy(model(xb), yb)", "cross_entropy(model(xb), 0.5 * nn.functional.one_hot(yb, 3) + 0.5 * hint)"),
)
GENERATOR = """
import torch
from torch import nn

torch.manual_seed(0)
make = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))
judge = nn.Linear(4, 1)
players = [torch.optim.SGD(make.parameters(), 0.01), torch.optim.SGD(judge.parameters(), 0.01)]
bce = nn.functional.binary_cross_entropy_with_logits
for _ in range(6):
    real = torch.randn(16, 4) + 1
    with torch.no_grad():
        fake = make(torch.randn(16, 4))
    players[1].zero_grad()
    (bce(judge(real), torch.ones(16, 1)) + bce(judge(fake), torch.zeros(16, 1))).backward()
    players[1].step()
    players[0].zero_grad()
    bce(judge(make(torch.randn(16, 4))), torch.ones(16, 1)).backward()
    players[0].step()
"""
CHECKPOINTED = changed(
    "from torch.utils.checkpoint import checkpoint" + DROPS,
    ("cross_entropy(model(xb)", "cross_entropy(checkpoint(model, xb, use_reentrant=True)"),
    ("xb, yb = x[start : start + 8], y", "xb, yb = x[start : start + 8].requires_grad_(), y"),
)
MEASURED = changed(
    DROPS + "torch.optim.swa_utils.update_bn([x[:40], x[40:]], model)\n", ("nn.ReLU()", "nn.BatchNorm1d(8), nn.ReLU()")
)
UNTRAINED = (
    DROPS
    + """
other = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 3))
with torch.no_grad():
    accuracy = (other(x).argmax(1) == y).float().mean()
"""
)
UNREAD = (
    changed(DROPS, ("nn.ReLU()", "nn.BatchNorm1d(8), nn.ReLU()"))
    + """
with torch.no_grad():
    model(x)
"""
)
PICTURES = (
    GENERATOR
    + """
with torch.no_grad():
    pictures = make(torch.randn(9, 4)).clamp(0, 1)
"""
)
MONTE_CARLO = (
    DROPS
    + """
with torch.no_grad():
    spread = torch.stack([model(x).softmax(1) for _ in range(5)]).std(0)
"""
)
DROPOUT_ONLY = (
    changed(DROPS, ("nn.ReLU(),", "nn.BatchNorm1d(8), nn.ReLU(),"))
    + """
model.eval()
model[3].train()
with torch.no_grad():
    likely = model(x).softmax(1)
"""
)
LATENT = changed(
    HEALTHY["MOD003"],
    ("self.last(nn.functional.dropout(self.first(x).relu(), 0.2, self.training))", "self.last(drawn(self.first(x)))"),
    ("class Net", "def drawn(mean):\n    return mean + 0.5 * torch.randn_like(mean)\n\n\nclass Net"),
)
REVIVED = changed(DROPS, (STEP, STEP + "    model.eval()\n    model[2].train()\n"))
LAST = changed(HEALTHY["MOD004"], ("+ 8]", "+ (8 if start < 72 else 2)]"))
AWHILE = """
import torch
from torch import nn

torch.manual_seed(0)
make = nn.Linear(4, 4)
judge = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
players = [torch.optim.Adam(make.parameters(), 1e-3), torch.optim.Adam(judge.parameters(), 1e-3)]
bce = nn.functional.binary_cross_entropy_with_logits
for _ in range(8):
    real, fake = torch.randn(16, 4) + 1, make(torch.randn(16, 4))
    judge.requires_grad_(True)
    players[1].zero_grad()
    (bce(judge(real), torch.ones(16, 1)) + bce(judge(fake.detach()), torch.zeros(16, 1))).backward()
    players[1].step()
    judge.requires_grad_(False)
    players[0].zero_grad()
    bce(judge(fake), torch.ones(16, 1)).backward()
    players[0].step()
"""
WHOLE = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU()).requires_grad_(False)
head = nn.Linear(8, 3)
optimizer = torch.optim.SGD(head.parameters(), lr=0.05)
for _ in range(8):
    x, y = torch.randn(16, 4), torch.randint(0, 3, (16,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(head(model(x)), y).backward()
    optimizer.step()
"""
STALE = changed(HEALTHY["MOD005"], ("momentum=0.1", "momentum=1e-4"))
EARLY = changed(
    STALE,
    ("range(6)", "range(14)"),
    (
        "\nmodel.eval()\nwith torch.no_grad():\n    ",
        "\n    if epoch == 5:\n        model.eval()\n        with torch.no_grad():\n            ",
    ),
)
NOISY = changed(
    CLASSIFIER,
    ("optimizer = ", "read = nn.Linear(3, 3)\noptimizer = "),
    ("cross_entropy(model(xb), yb)", "cross_entropy(read(nn.functional.dropout(model(xb), 0.3)), yb)"),
)
EMBEDDED = changed(
    HEALTHY["MOD008"], ("nn.Linear(8, 32), nn.ReLU(), ", "nn.Embedding(8, 32), "), ("torch.randn(64, 8)", "torch.arange(64) % 8")
)
FIRST_TOKEN = changed(
    HEALTHY["MOD009"],
    ("padding = tokens == 0", "padding = (torch.arange(12) > 0).expand(tokens.shape)"),
    ("hidden.masked_fill(padding[..., None], 0).sum(1)", "hidden[:, 0]"),
    ("    tokens[torch", "    tokens[:, 0] = 1\n    tokens[torch"),
    ("    y = (tokens[:, 0]", "    y = (tokens[:, 1]"),
)

CASES = [
    pair("MOD001", "A backbone that is deliberately kept in eval mode", BACKBONE, ("head.train()\n", "")),
    pair("MOD001", "or the reverse", BACKBONE.replace("head.train()", "body.train()"), ("body.train()\n", "")),
    pair("MOD001", "Frozen BatchNorm layers do not count", NORMED, (".requires_grad_(False)", "")),
    Case("MOD002", "A generator or a teacher under `no_grad`", GENERATOR),
    Case("MOD002", "whose output enters a loss", TEACHER),
    Case("MOD002", "activation checkpointing", CHECKPOINTED),
    pair(
        "MOD002",
        "`update_bn`",
        MEASURED,
        ("torch.optim.swa_utils.update_bn([x[:40], x[40:]], model)", "torch.no_grad()(model)(x).argmax(1)"),
    ),
    pair("MOD002", "a model that no optimizer trains", UNTRAINED, ("other(x)", "model(x)")),
    pair("MOD002", "a forward whose output nobody reads", UNREAD, ("    model(x)", "    model(x).argmax(1)")),
    pair("MOD002", "pictures of a generator", PICTURES, ("judge(make(torch.randn(16, 4))", "judge(real - real.mean(0)")),
    pair("MOD002", "three or more forwards of one tensor in a row", MONTE_CARLO, ("range(5)", "range(2)")),
    pair("MOD002", "only the dropout modules in train mode", DROPOUT_ONLY, ("model.eval()\nmodel[3].train()\n", "")),
    Case("MOD003", "sampling in a variational model", LATENT, answer="undecided"),
    healed(
        "MOD003", "dropout whose `training=True` is written out", ("relu(), 0.2", "relu(), 0.2, training=True"), answer="undecided"
    ),
    Case("MOD003", "Dropout modules put back into train mode", REVIVED),
    pair("MOD004", "Only the last, incomplete batch of an epoch", LAST, ("(8 if start < 72 else 2)", "2")),
    pair("MOD005", "The first steps", STALE.replace("range(6)", "range(3)"), ("range(3)", "range(6)"), answer="undecided"),
    pair("MOD005", "in the later half of the run", EARLY, ("epoch == 5", "epoch == 13")),
    healed("MOD006", "The layers are in eval mode", ("model.train()\n", "model.train()\nbody[1].eval()\n")),
    pair(
        "MOD006",
        "they are frozen only for a while",
        AWHILE,
        ("judge.requires_grad_(True)", "judge[1].requires_grad_(False)"),
        ("    judge.requires_grad_(False)\n", ""),
    ),
    Case("MOD006", "the whole model is frozen", WHOLE),
    healed("MOD007", "Dropout before the last layer", ("nn.Linear(8, 3), nn.Dropout(0.3)", "nn.Dropout(0.3), nn.Linear(8, 3)")),
    pair(
        "MOD007",
        "Noise on a representation that another layer reads",
        NOISY,
        ("read(nn.functional.dropout(model(xb), 0.3))", "nn.functional.dropout(read(model(xb)), 0.3)"),
    ),
    pair(
        "MOD008",
        "embeddings",
        EMBEDDED,
        ("nn.Embedding(8, 32)", "nn.Linear(1, 32)"),
        ("torch.arange(64) % 8", "torch.randn(64, 1)"),
    ),
    pair("MOD009", "masks that do not go by positions of the input", FIRST_TOKEN, ("(1, 20, (16, 12))", "(2, 20, (16, 12))")),
]


@pytest.mark.parametrize("case", params(CASES))
def test_a_clause_lets_its_case_pass(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    check(case, tmp_path, monkeypatch)
