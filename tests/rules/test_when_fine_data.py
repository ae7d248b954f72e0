"""What the rules about data let pass: a case for each clause of their *When this is fine*."""

from pathlib import Path

import pytest

from rules.when_fine import HEALTHY, SICK, Case, check, healed, pair, params
from torchclinic.rules.specimens import CLASSIFIER, changed

BYTES = changed(CLASSIFIER, ("torch.randn(80, 4)", "torch.randn(80, 4) * 10 + 5"), ("lr=0.05", "lr=1e-5"))
INDICES = changed(
    CLASSIFIER,
    ("torch.randn(80, 4)", "torch.randint(0, 500, (80, 4))"),
    ("nn.Linear(4, 8)", "nn.Embedding(500, 4), nn.Flatten(), nn.Linear(16, 8)"),
)
SAMPLER = changed(
    HEALTHY["DAT003"],
    ("arange(96) // 24", "arange(192) // 48"),
    ("randn(96", "randn(192"),
    ("shuffle=True", "batch_sampler=[rows[i : i + 8] for i in range(0, 192, 8)]"),
    ("batch_size=8, ", ""),
    ("model = ", "rows = ORDER\nmodel = "),
)
PAIRS = "[c * 48 + 4 * k + i for k in range(12) for c in ((3, 1, 2, 0) if k % 2 else (1, 0, 3, 2)) for i in range(4)]"
TASKS = "[*torch.randperm(96).tolist(), *(96 + torch.randperm(96)).tolist()]"
BUFFER = changed(
    CLASSIFIER,
    ("for start", "buffer = torch.zeros(40, 4)\nfor start"),
    ("x[start : start + 8], y", "buffer[:8], y"),
    ("    optimizer.zero_grad()", "    xb.copy_(x[start : start + 8])\n    optimizer.zero_grad()"),
)
STREAM = changed(
    SICK["DAT007"],
    ("DataLoader, Dataset", "DataLoader, IterableDataset, get_worker_info"),
    ("Noisy(Dataset)", "Noisy(IterableDataset)"),
    (
        "    def __len__(self):\n        return 64\n\n    def __getitem__(self, index):\n        return",
        """    def __iter__(self):
        worker = get_worker_info()
        for index in range(64):
            if index % worker.num_workers == worker.id:
                yield self.item(index)

    def item(self, index):
        return""",
    ),
)
IGNORED = changed(
    CLASSIFIER,
    ("model = ", "y[::5] = 255\nmodel = "),
    ("cross_entropy(model(xb), yb)", "cross_entropy(model(xb), yb, ignore_index=255)"),
)
NARROW = changed(
    SICK["DAT010"],
    ("rand(160, 100)", "rand(160, 63)"),
    ("Linear(100", "Linear(63"),
    ("range(0, 120, 20)", "range(0, 120, 40)"),
    ("start + 20", "start + 40"),
)
MASKED = """
import torch
from torch import nn

torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.last = nn.MultiheadAttention(4, 1, batch_first=True), nn.Linear(4, 3)

    def forward(self, x, mask):
        return self.last(self.attention(x, x, x, attn_mask=mask)[0].mean(1))

model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
mask = torch.full((6, 6), -torch.inf).triu(1)
for _ in range(6):
    x, y = torch.randn(8, 6, 4), torch.randint(0, 3, (8,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x, mask), y).backward()
    optimizer.step()
"""

CASES = [
    healed(
        "DAT001",
        "A normalization layer directly behind the first layer",
        ("nn.ReLU(),", "nn.BatchNorm1d(8), nn.ReLU(),"),
        ("model[2]", "model[3]"),
    ),
    pair(
        "DAT001",
        "embeddings of indices",
        INDICES,
        ("nn.Embedding(500, 4), nn.Flatten(), nn.Linear(16, 8)", "nn.Linear(4, 8)"),
        ("(80, 4))", "(80, 4)).float()"),
        ("lr=0.05", "lr=1e-7"),
    ),
    pair("DAT001", "data of moderate scale", BYTES, ("* 10 + 5", "* 10 + 25")),
    healed("DAT002", "Full-batch training", ("x[0:8], y[0:8]", "x, y")),
    healed("DAT002", "Full-batch training", ("x[0:8], y[0:8]", "x[0:80], y[0:80]")),
    healed(
        "DAT002",
        "overfitting one batch on purpose",
        ("for start", "one = x[0:8], y[0:8]\nfor start"),
        ("xb, yb = x[0:8], y[0:8]", "xb, yb = one"),
    ),
    pair("DAT003", "Samplers that draw by class on purpose", SAMPLER.replace("ORDER", PAIRS), (PAIRS, "range(192)")),
    pair("DAT003", "tasks met one after the other", SAMPLER.replace("ORDER", TASKS), (TASKS, "range(192)")),
    healed("DAT004", "no class is decided on", (".argmax(1) == y).float()", ".softmax(1)[:, 1])"), answer="undecided"),
    healed("DAT004", "unweighted losses only", ("CrossEntropyLoss(", "CrossEntropyLoss(torch.ones(2)")),
    healed("DAT005", "Random labels on purpose", ("epoch % 8 == 7", "epoch > 24")),
    healed(
        "DAT005", "evaluated inputs of another scale or offset", ("model(test_x)", "model(test_x * 60 + 20)"), answer="undecided"
    ),
    pair("DAT006", "Filling a preallocated buffer", BUFFER, ("xb.copy_(x[start : start + 8])", "xb.sub_(0.1)")),
    healed("DAT006", "an in-place operation on a tensor of its own", ("    xb -= 0.1", "    xb = xb.clone()\n    xb -= 0.1")),
    Case("DAT007", "Data sets that are iterated and split by worker", STREAM),
    pair("DAT008", "`ignore_index`", IGNORED, (", ignore_index=255", "")),
    pair("DAT008", "minus infinity in an additive mask", MASKED, ("-torch.inf", "torch.nan")),
    healed(
        "DAT009",
        "a loss that is put together from several",
        ("mse_loss(model(xb), yb)", "mse_loss(model(xb), yb) + nn.functional.l1_loss(model(xb), yb)"),
        answer="undecided",
    ),
    pair("DAT010", "samples of fewer than 64 numbers", NARROW, ("(160, 63)", "(160, 64)"), ("Linear(63", "Linear(64")),
    pair(
        "DAT010",
        "up to three times is left alone",
        changed(HEALTHY["DAT010"], ("model(x[start : start + 20])", "model(2.5 * (x[start : start + 20] - 0.5) + 0.5)")),
        ("2.5 *", "5.0 *"),
    ),
]


@pytest.mark.parametrize("case", params(CASES))
def test_a_clause_lets_its_case_pass(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    check(case, tmp_path, monkeypatch)
