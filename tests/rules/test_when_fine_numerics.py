"""What the rules about numbers that a format cannot hold let pass: a case for each clause of their *When this is fine*."""

from pathlib import Path

import pytest

from rules.when_fine import Case, check, pair, params
from torchclinic.rules.specimens import CLASSIFIER, changed

MASKED = changed(
    CLASSIFIER,
    (
        "cross_entropy(model(xb), yb)",
        "cross_entropy(model(xb), yb) + torch.zeros(8, 3).masked_fill(hidden, -torch.inf).softmax(1).square().mean()",
    ),
    ("for start", "hidden = torch.tensor([False, False, True])\nfor start"),
)
SCALED = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(64, 16), torch.randn(64, 1)
model = nn.Linear(16, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**SCALE)
for _ in range(10):
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.float16):
        prediction = model(x)
    loss = nn.functional.mse_loss(prediction.float(), y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
"""
TINY = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(64, 16), torch.randn(64, 1)
model = nn.Linear(16, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(10):
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.float16):
        prediction = model(x)
    (nn.functional.mse_loss(prediction.float(), y) * 1e-6).backward()
    optimizer.step()
"""
GUARDED = changed(
    TINY,
    ("for _ in", 'scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)\nfor _ in'),
    (
        "(nn.functional.mse_loss(prediction.float(), y) * 1e-6)",
        "scaler.scale(nn.functional.mse_loss(prediction.float(), y) * 1e-6)",
    ),
    ("    optimizer.step()\n", "    scaler.step(optimizer)\n    scaler.update()\n"),
)
FEW_SMALL = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(40, 30, bias=False)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
scale = torch.full((30, 1), 1e-3)
for _ in range(10):
    x = torch.randn(16, 40)
    x[:, 8:] = 0
    with torch.autocast("cpu", torch.float16):
        prediction = model(x)
    optimizer.zero_grad()
    (prediction.float() * GRADIENT).sum().backward()
    optimizer.step()
"""
CASES = [
    Case("NUM001", "Infinities as attention masks", MASKED),
    pair(
        "NUM001",
        "overflowing gradients that a gradient scaler skips",
        SCALED.replace("SCALE)", "126)"),
        ("scaler.scale(loss)", "(loss * 2.0**126)"),
        ("scaler.step(optimizer)\n    scaler.update()", "optimizer.step()"),
    ),
    Case(
        "NUM001",
        "Only a loss or gradient that is not finite",
        changed(MASKED, ("optimizer.zero_grad()", "optimizer.zero_grad()\n    hint = model(xb) / 0")),
    ),
    pair("NUM002", "bfloat16 autocast has float32's range", TINY.replace("float16", "bfloat16"), ("bfloat16", "float16")),
    pair("NUM002", "float16 with a `GradScaler`", GUARDED, ("init_scale=2.0**16", "init_scale=2.0**16, enabled=False")),
    pair("NUM002", "large gradients, few small ones", FEW_SMALL.replace("GRADIENT", "1e-3"), ("* 1e-3).sum()", "* 1e-9).sum()")),
]


@pytest.mark.parametrize("case", params(CASES))
def test_a_clause_lets_its_case_pass(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    check(case, tmp_path, monkeypatch)
