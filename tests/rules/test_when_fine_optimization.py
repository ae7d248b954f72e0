"""What the rules about rates, schedules, decay and clipping let pass: a case for each clause of their *When this is fine*."""

from pathlib import Path

import pytest

from rules.when_fine import HEALTHY, SICK, Case, check, healed, pair, params
from torchclinic.rules.specimens import RATED, REGRESSION, changed

STEP = "    optimizer.step()\n"
NO_FALL = changed(
    RATED, ("lr=0.02", "lr=0.005"), ("    loss = loss_fn(model(x), y)", "    loss = loss_fn(model(x), torch.randn(64, 1))")
)
LOADED = "model.load_state_dict({k: v * 1.1 for k, v in model.state_dict().items()})\n"
PLATEAU = changed(
    SICK["OPT003"],
    ("LinearLR(optimizer, 1.0, 1e-6, total_iters=3)", "ReduceLROnPlateau(optimizer, patience=0, factor=1e-3)"),
    ("        schedule.step()", "        schedule.step(1.0)"),
    ("if start == 72 or schedule.total_iters == 3", "if start >= 0"),
)
RESTARTS = changed(
    SICK["OPT003"],
    ("LinearLR(optimizer, 1.0, 1e-6, total_iters=3)", "CosineAnnealingWarmRestarts(optimizer, 4)"),
    ("if start == 72 or schedule.total_iters == 3", "if start >= 0"),
)
AT_THE_END = changed(SICK["OPT003"], ("4 * ", "12 * "), ("1e-6, total_iters=3)", "1e-6, total_iters=11)"))
THOUSANDTH = changed(SICK["OPT003"], ("1e-6", "1e-3"))
SKIPPED = changed(
    SICK["OPT004"],
    ("for start", 'scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126)\nfor start'),
    ("loss.backward()", "scaler.scale(loss * 1e3).backward()"),
    ("    schedule.step()\n    optimizer.step()\n", "    scaler.step(optimizer)\n    scaler.update()\n    schedule.step()\n"),
)
CONVERGED = changed(
    HEALTHY["OPT005"],
    (" / 2\n", " / 20\n"),
    ("\nfor start", "\nmodel[0].weight.data *= 4\nmodel[2].weight.data *= 4\nfor start"),
    ("x[start : start + 8], y[start : start + 8]", "x, y"),
    ("weight_decay=1e-3", "weight_decay=0.05"),
    ("range(0, 80, 8)", "80 * list(range(0, 80, 8))"),
)
NORMED = changed(
    HEALTHY["OPT005"],
    ("nn.Linear(4, 8), nn.Tanh()", "nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8, affine=False), nn.Tanh()"),
    ("torch.optim.SGD(model.parameters()", "torch.optim.SGD(model[0].parameters()"),
    ("weight_decay=1e-3", "weight_decay=0.2"),
    ("range(0, 80, 8)", "20 * list(range(0, 80, 8))"),
)
TRAVELS = changed(
    REGRESSION,
    ("range(0, 80, 8)", "3 * list(range(0, 80, 8))"),
    (STEP, "    nn.utils.clip_grad_norm_(model.parameters(), 1e-3)\n" + STEP),
    ("lr=0.05", "lr=100.0"),
)
MARGIN = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(60, 64, 6)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
for batch in x:
    y = 100 * batch.sum(1, keepdim=True)
    optimizer.zero_grad()
    (model(batch) - y).clamp(max=1.0).square().mean().backward()
    optimizer.step()
"""
AFTER_A_CLOSURE = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(80, 4)
y = x.sum(dim=1, keepdim=True) / 2
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
first = torch.optim.SGD(model[0].parameters(), lr=100.0)
second = torch.optim.SGD(model[2].parameters(), lr=1e-5)
for _ in range(20):
    def closure():
        model.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model[0].parameters(), 1e-3)
        return loss

    first.step(closure)
    second.step()
"""
HANDED_OVER = changed(
    REGRESSION,
    ("range(0, 80, 8)", "2 * list(range(0, 80, 8))"),
    (
        "    loss.backward()\n",
        """    gradients = torch.autograd.grad(loss, list(model.parameters()))
    for parameter, gradient in zip(model.parameters(), gradients):
        parameter.grad = gradient
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
""",
    ),
)
TOGETHER = """
import torch
from torch import nn
from torch.optim import lr_scheduler as schedules

torch.manual_seed(0)
body, head = nn.Linear(4, 8), nn.Linear(8, 1)
first, second = torch.optim.SGD(body.parameters(), 0.01), torch.optim.SGD(head.parameters(), 0.01)

class Together(schedules.LRScheduler):
    def __init__(self, parts):
        self._schedulers = parts
        super().__init__(first)

    def get_lr(self):
        for group in (*first.param_groups, *second.param_groups):
            group["lr"] *= 0.99
        return [group["lr"] for group in first.param_groups]

schedule = Together([schedules.ExponentialLR(first, 0.99), schedules.ExponentialLR(second, 0.99)])
for _ in range(12):
    x = torch.randn(8, 4)
    first.zero_grad(), second.zero_grad()
    nn.functional.mse_loss(head(body(x).tanh()), x.sum(1, keepdim=True)).backward()
    first.step(), second.step()
    schedule.step()
"""
EVERY_STEP = changed(
    SICK["OPT007"],
    ("    schedule.step()\n", ""),
    ("        optimizer.step()\n", "        optimizer.step()\n        schedule.step()\n"),
)
SWEEP = changed(EVERY_STEP, ("lambda n: min(1.0, (n + 1) / 100)", "lambda n: 1e-4 * 1.05**n"))
STAGES = """
import torch
from torch import nn
from torch.optim import lr_scheduler as schedules

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.01)
warm, fall = schedules.LinearLR(optimizer, 0.1, total_iters=3), schedules.ExponentialLR(optimizer, 0.99)
both = schedules.SequentialLR(optimizer, [warm, fall], milestones=[40])
for step in range(24):
    x = torch.randn(8, 4)
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), x.sum(1, keepdim=True)).backward()
    optimizer.step()
    both.step()
"""

HANDED = "a clip counts as late although `.grad` was set since the step, because no backward pass ran"
CASES = [
    pair("OPT001", "Losses that are not meant to fall", NO_FALL, ("lr=0.005", "lr=1.0")),
    healed("OPT002", "Fine-tuning of loaded weights", ("x = torch", LOADED + "x = torch")),
    healed(
        "OPT002",
        "the beginning of a warm-up",
        ("for _ in", "warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: 1 + n / 80)\nfor _ in"),
        (STEP, STEP + "    warm.step()\n"),
    ),
    healed("OPT002", "a run that was stopped after a few steps", ("range(80)", "range(20)"), answer="undecided"),
    pair("OPT003", "Decay to zero at the end", AT_THE_END, ("total_iters=11", "total_iters=8")),
    Case("OPT003", "a plateau schedule", PLATEAU),
    Case("OPT003", "warm restarts", RESTARTS),
    pair("OPT003", "a rate that is lowered to a thousandth", THOUSANDTH, ("1e-3", "1e-5")),
    pair(
        "OPT004",
        "A gradient scaler that skips the first steps",
        SKIPPED,
        (
            "    scaler.step(optimizer)\n    scaler.update()\n    schedule.step()\n",
            "    schedule.step()\n    scaler.step(optimizer)\n    scaler.update()\n",
        ),
        ('"cpu", init_scale=2.0**126', '"cpu", enabled=False'),
    ),
    pair(
        "OPT004",
        "the older `scheduler.step(epoch)` at the beginning of an epoch",
        changed(SICK["OPT004"], ("schedule.step()", "schedule.step(start // 8)")),
        ("start // 8", "start // 8 + 1"),
    ),
    pair("OPT005", "At the end of a training that has converged", CONVERGED, ("weight_decay=0.05", "weight_decay=4.0")),
    pair("OPT005", "In front of a normalization", NORMED, ("weight_decay=0.2", "weight_decay=4.0")),
    pair("OPT006", "A small limit together with a large learning rate", TRAVELS, ("lr=100.0", "lr=0.05")),
    pair(
        "OPT006",
        "A small limit together with a large learning rate",
        AFTER_A_CLOSURE,
        ("first.step(closure)", "closure(), first.step()"),
        ("lr=100.0", "lr=0.01"),
    ),
    pair("OPT007", "A warm-up that is advanced every step", EVERY_STEP, ("        schedule.step()\n", "    schedule.step()\n")),
    healed(
        "OPT007",
        "a run that was stopped before its end",
        ("    schedule.step()\n", "    schedule.step()\n    if epoch == 7:\n        raise KeyboardInterrupt\n"),
    ),
    Case("OPT007", "a sweep of rates, advanced every step", SWEEP),
    healed(
        "OPT008", "A run that was stopped before its end", (STEP, STEP + "    if start == 64:\n        raise KeyboardInterrupt\n")
    ),
    pair("OPT008", "a part of a `SequentialLR` or `ChainedScheduler`", STAGES, ("    both.step()\n", "")),
    pair(
        "OPT008",
        "one of several that were made for the same optimizer",
        STAGES.replace("both.step()", "fall.step()"),
        ("    fall.step()\n", ""),
    ),
    pair(
        "OPT008",
        "one that the loop advances under a condition",
        changed(HEALTHY["OPT008"], ("    schedule.step()\n", "    if start > 1000:\n        schedule.step()\n")),
        ("    if start > 1000:\n        schedule.step()\n", "    if start > 1000:\n        print(schedule)\n"),
        answer="undecided",
    ),
]
GUARDS = [
    pair("OPT006", "a margin: one side of the error costs, however large", MARGIN, ("clamp(max=1.0)", "clamp(-1.0, 1.0)")),
    Case("OPT006", "gradients of torch.autograd.grad that the script hands over", HANDED_OVER, fails=HANDED),
    pair(
        "OPT008", "a schedule that one of the script's own advances", TOGETHER, ("self._schedulers = parts", "self.parts = parts")
    ),
]


@pytest.mark.parametrize("case", params(CASES + GUARDS))
def test_a_clause_lets_its_case_pass(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    check(case, tmp_path, monkeypatch)
