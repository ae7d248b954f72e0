"""Losses that are written in tensor operations are judged as those of torch.nn.functional are."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.records import BackwardPass, LossCall, RegressionTargets, RunRecord
from torchclinic.observe.session import Session
from torchclinic.rules.judging import Verdict, judge
from torchclinic.running.launcher import Target, launch

HEAD = """
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
"""
REGRESSION = """
X = torch.randn(256, 6)
Y = X[:, :2] + X[:, 2:4]
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2){output})
opt = torch.optim.{opt}
w = torch.rand(16, 1) + 0.5
for step in range({steps}):
    b = torch.randint(0, 256, (16,))
    x, y = X[b], Y[b]
    p = net(x)
    loss = {loss}
    opt.zero_grad(); loss.backward(); opt.step()
"""
CLASSES = """
centres = torch.randn(4, 8)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4){output})
opt = torch.optim.{opt}
for step in range({steps}):
    y = torch.randint(0, 4, (24,))
    x = centres[y] + 0.7 * torch.randn(24, 8)
    z = net(x)
    loss = {loss}
    opt.zero_grad(); loss.backward(); opt.step()
"""
BINARY = """
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, {columns}){output})
opt = torch.optim.{opt}
for step in range({steps}):
    x = torch.randn(24, 8)
    y = (x[:, :{columns}] > 0).float()
    z = net(x)
    loss = {loss}
    opt.zero_grad(); loss.backward(); opt.step()
"""
MASKS = """
net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, {channels}, 3, padding=1))
opt = torch.optim.{opt}
def dice(p, t): return (2 * (p * t).sum((2, 3)) + 1) / (p.sum((2, 3)) + t.sum((2, 3)) + 1)
def iou(p, t):
    both = (p * t).flatten(1).sum(1)
    return both / (p.flatten(1).sum(1) + t.flatten(1).sum(1) - both)
for step in range({steps}):
    y = (torch.rand(8, 1, 4, 4) < 0.3).float().repeat_interleave(4, 2).repeat_interleave(4, 3)
    x = y + 0.3 * torch.randn_like(y)
    z = net(x)
    loss = {loss}
    opt.zero_grad(); loss.backward(); opt.step()
"""


def script(
    form: str,
    loss: str,
    output: str = "",
    opt: str = "Adam(net.parameters(), 5e-3)",
    steps: int = 60,
    columns: int = 1,
    channels: int = 1,
) -> str:
    output = ", " + output if output else ""
    return HEAD + form.format(loss=loss, output=output, opt=opt, steps=steps, columns=columns, channels=channels)


def record(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> RunRecord:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    path = folder / "train.py"
    path.write_text(script)
    session = Session()
    outcome = launch(Target(str(path)), session, lambda outcome: None)
    assert outcome.exit_code == 0, outcome.note
    assert session.state.limits == []
    return collect(session)


def examine(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Verdict:
    return judge(record(script, folder, monkeypatch))


SQUARES = {
    "power": "((p - y) ** 2).mean()",
    "the-other-way-round": "(y - p).pow(2).mean()",
    "sum": "(p - y).square().sum()",
    "product": "((p - y) * (p - y)).mean()",
    "absolute": "(p - y).abs().mean()",
    "weighted": "(w * (p - y) ** 2).sum() / w.sum()",
    "per-sample": "((p - y) ** 2).sum(1).mean()",
    "one-term": "((p - y) ** 2).mean() + 1e-3 * sum(q.square().sum() for q in net.parameters())",
    "root": "(p - y).pow(2).mean().sqrt()",
}
FAST = "Adam(net.parameters(), 1.0)"
SICK = {
    **{f"range-{name}": ("LOS007", script(REGRESSION, loss, "nn.Tanh()")) for name, loss in SQUARES.items()},
    **{
        f"sign-{name}": ("LOS008", script(REGRESSION, "-" + SQUARES[name], opt="Adam(net.parameters(), 0.02)", steps=30))
        for name in ("power", "absolute", "weighted", "per-sample")
    },
    "rate": ("OPT001", script(REGRESSION, SQUARES["power"], opt=FAST)),
    "rate-of-weighted": ("OPT001", script(REGRESSION, SQUARES["weighted"], opt=FAST)),
    "scale": ("DAT009", script(REGRESSION, SQUARES["power"], steps=120).replace("X[:, 2:4]\n", "X[:, 2:4] + 400\n")),
    "softmax-twice": ("LOS001", script(CLASSES, "-z.log_softmax(1)[range(24), y].mean()", "nn.Softmax(1)")),
    "bounded-logits": ("LOS003", script(CLASSES, "-z.log_softmax(1).gather(1, y[:, None]).mean()", "nn.Tanh()")),
    "sign-of-one-hot": ("LOS008", script(CLASSES, "(F.one_hot(y, 4).float() * z.log_softmax(1)).sum(1).mean()", steps=20)),
    "sign-of-log-of-softmax": (
        "LOS008",
        script(CLASSES, "z.softmax(1).log()[torch.arange(24), y].mean()", opt="SGD(net.parameters(), 0.05)", steps=20),
    ),
    "sign-of-binary": ("LOS008", script(BINARY, "(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean()", steps=20)),
    "softmax-of-several-labels": (
        "LOS007",
        script(BINARY, "-(y * (z + 1e-7).log() + (1 - y) * (1 - z + 1e-7).log()).mean()", "nn.Softmax(1)", columns=4),
    ),
    "overlap": ("LOS008", script(MASKS, "dice(z.sigmoid(), y).mean()")),
    "overlap-of-two-classes": ("LOS008", script(MASKS, "dice(z.softmax(1), torch.cat([1 - y, y], 1)).mean()", channels=2)),
    "intersection-over-union": ("LOS008", script(MASKS, "iou(z.sigmoid(), y).mean() - 1")),
}

WRONG = "1 - F.one_hot(y, 4).float()"
HEALTHY = {
    **{name: script(REGRESSION, loss) for name, loss in SQUARES.items()},
    "masked-out-targets": script(REGRESSION, "(m * (p - t) ** 2).sum() / m.sum()", "nn.Tanh()").replace(
        "    p = net", "    m = (y.abs() < 0.8).float(); t = torch.where(m > 0, y, -100.0)\n    p = net"
    ),
    "left-out-targets": script(REGRESSION, "(p - t)[m].pow(2).mean()", "nn.Tanh()").replace(
        "    p = net", "    m = y.abs() < 0.8; t = torch.where(m, y, -100.0)\n    p = net"
    ),
    "reward-of-distance": script(REGRESSION, "-((x[:, :2] + p - x[:, :2]) ** 2).sum(1).sqrt().mean()", "nn.Tanh()"),
    "pushed-from-its-own-copy": script(REGRESSION, "-(p - old(x).detach()).pow(2).mean()", "nn.Tanh()").replace(
        "opt =", "old = nn.Sequential(nn.Linear(6, 2), nn.Tanh()).requires_grad_(False)\nopt ="
    ),
    "one-hot": script(CLASSES, "-(F.one_hot(y, 4).float() * z.log_softmax(1)).sum(1).mean()"),
    "picked": script(CLASSES, "-z.softmax(1).clamp_min(1e-8).log()[torch.arange(24), y].mean()"),
    "expected-cost": script(CLASSES, f"(z.softmax(1) * ({WRONG})).sum(1).mean()"),
    "share-of-the-cost": script(CLASSES, f"((z.softmax(1) * ({WRONG})).sum(1) / z.softmax(1).sum(1)).mean()"),
    "negative-rewards": script(CLASSES, "-(z.log_softmax(1)[torch.arange(24), a] * ((a == y).float() - 1.5)).mean()").replace(
        "    loss", "    a = z.detach().softmax(1).multinomial(1)[:, 0]\n    loss"
    ),
    "most-entropy": script(CLASSES, "(z.softmax(1).detach() * z.log_softmax(1)).sum(1).mean()"),
    "binary": script(BINARY, "-(y * z.log() + (1 - y) * (1 - z).log()).mean()", "nn.Sigmoid()"),
    "two-halves": script(BINARY, "(-F.logsigmoid(z) * y - F.logsigmoid(-z) * (1 - y)).mean()"),
    "dice": script(MASKS, "1 - dice(z.sigmoid(), y).mean()"),
    "log-of-dice": script(MASKS, "-dice(z.sigmoid(), y).log().mean()"),
    "iou-and-cross-entropy": script(MASKS, "F.binary_cross_entropy_with_logits(z, y) - iou(z.sigmoid(), y).mean()"),
}


def cases(named: dict[str, object]) -> list[object]:
    return [pytest.param(value, id=name) for name, value in named.items()]


@pytest.mark.parametrize("case", cases(SICK))
def test_a_fault_around_a_handmade_loss_is_found_and_no_other(
    case: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, script = case
    found = [f.code for f in examine(script, tmp_path, monkeypatch).findings if f.severity != "info"]
    assert found[:1] == [code]


@pytest.mark.parametrize("script", cases(HEALTHY))
def test_a_healthy_handmade_loss_is_silent(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert [f.code for f in examine(script, tmp_path, monkeypatch).findings if f.severity != "info"] == []


@pytest.mark.parametrize(
    ("loss", "twin"), [("((p - y) ** 2).mean()", "F.mse_loss(p, y)"), ("(y - p).abs().mean()", "F.l1_loss(p, y)")]
)
def test_a_handmade_loss_gives_the_records_of_the_function(
    loss: str, twin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = [record(script(REGRESSION, which, steps=12), tmp_path, monkeypatch) for which in (loss, twin)]
    for kind, fields in (
        (LossCall, ("function", "step", "line", "training", "untrained", "prediction", "target")),
        (RegressionTargets, ("function", "step", "untrained", "numbers", "total", "squares", "output")),
    ):
        first, second = (run.of(kind) for run in seen)
        assert [[getattr(r, f) for f in fields] for r in first] == [[getattr(r, f) for f in fields] for r in second]
        assert first
    passes = seen[0].of(BackwardPass)
    assert {(p.error, p.error_mean) for p in passes} == {(twin[2:].partition("(")[0], True)}


def test_what_is_no_mean_of_errors_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for loss, error in (
        ("-((p - y) ** 2).mean()", ""),
        ("2 - ((p - y) ** 2).mean()", ""),
        ("1 / ((p - y) ** 2).mean()", ""),
        ("((w - 1) * (p - y) ** 2).mean()", ""),
        ("(2 ** (p - y)).mean()", ""),
        ("((p - y) ** 2).mean() + p.mean()", ""),
        ("((p - y) ** 2).sum()", "mse_loss"),
        ("3 * ((p - y) ** 2).mean()", "mse_loss"),
    ):
        run = record(script(REGRESSION, loss, opt="SGD(net.parameters(), 1e-5)", steps=3), tmp_path, monkeypatch)
        passes = run.of(BackwardPass)
        assert {(p.error, p.error_mean) for p in passes} == {(error, False)}, loss


def test_observing_keeps_no_operand_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for form, loss in ((REGRESSION, SQUARES["power"]), (CLASSES, "-z.log_softmax(1).gather(1, y[:, None]).mean()")):
        alive = "    import weakref; gone = weakref.ref(y); del y; assert gone() is None\n"
        assert record(script(form, loss, steps=3) + alive, tmp_path, monkeypatch).backwards == 3
