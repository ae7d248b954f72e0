"""Targets, class weights and target networks: what is found, and what looks alike and is right."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import Verdict, judge
from torchclinic.running.launcher import Target, launch

HEAD = """
import copy
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
"""

# -- DAT009: `y` from `signal` with spread 1.4, the loss, the optimizer, the steps ------------------------------------

REGRESSION = """
x = torch.randn(512, 8)
signal = x[:, :1] + x[:, 1:2] * x[:, 2:3]
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
y = {y}
crit, opt = {crit}, {opt}
for s in range({steps}):
    b = torch.randint(0, 512, (32,))
    opt.zero_grad(); crit(net(x[b]), y[b]).backward(); {clip}; opt.step()
"""


def regression(
    y: str, crit: str = "nn.MSELoss()", opt: str = "Adam(net.parameters(), 1e-3)", steps: int = 120, clip: str = "pass"
) -> str:
    return HEAD + REGRESSION.format(y=y, crit=crit, opt=f"torch.optim.{opt}", steps=steps, clip=clip)


PRICE = "signal * 1e5 + 4e5"
FAR = {
    "prices": regression(PRICE),
    "absolute-error": regression(PRICE, "nn.L1Loss()"),
    "huber-with-a-wide-middle": regression("signal * 100 + 300", "nn.HuberLoss(delta=20.0)", "SGD(net.parameters(), 1e-4)"),
    "a-spread-without-a-mean": regression("signal * 1e5"),
    "clipped": regression(PRICE, opt="SGD(net.parameters(), 1e-2)", clip="nn.utils.clip_grad_norm_(net.parameters(), 1.0)"),
    "blown-up-at-once": regression(PRICE, opt="SGD(net.parameters(), 1e-2)", steps=30),
}
NEAR = {
    "large-and-learned": regression("signal * 100 + 300", opt="Adam(net.parameters(), 3e-2)", steps=400),
    "standardized": regression("signal"),
    "on-the-way": regression("signal * 12 + 40", steps=400),
    "few-steps": regression(PRICE, steps=40),
    "scaled-outputs": regression(PRICE).replace("net(x[b])", "net(x[b]) * 1e5 + 4e5"),
    "mean-as-first-bias": regression("signal * 12 + 400 + 0 * net[2].bias.data.fill_(400)"),
    "offset-that-is-all-learned": regression("signal / 100 + 40", opt="Adam(net.parameters(), 3e-2)", steps=400),
}

# -- LOS012 ------------------------------------------------------------------------------------------------------------

LABELS = """
y = torch.multinomial(torch.tensor([{p}]), 2000, replacement=True)
x = torch.randn(4, 8)[y] + torch.randn(2000, 8)
counts = torch.bincount(y, minlength=4).float()
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
crit = nn.CrossEntropyLoss(weight={weight})
opt = torch.optim.Adam(net.parameters(), 3e-3)
for s in range(20):
    b = torch.randint(0, 2000, (32,))
    opt.zero_grad(); crit(net(x[b]), y[b]).backward(); opt.step()
"""
COLUMNS = """
x = torch.randn(2000, 6)
y = (x[:, :{columns}] > torch.tensor({threshold})).float()
ones, zeros = y.sum(0), (1 - y).sum(0)
net = nn.Linear(6, {columns})
opt = torch.optim.Adam(net.parameters(), 3e-3)
for s in range(20):
    b = torch.randint(0, 2000, (32,))
    loss = F.binary_cross_entropy_with_logits(net(x[b]), y[b], pos_weight={weight})
    opt.zero_grad(); loss.backward(); opt.step()
"""
PIXELS = """
x = torch.randn({images}, 1, 8, 8)
y = (x[:, 0] > 1.0).long()
net = nn.Conv2d(1, 2, 3, padding=1)
opt = torch.optim.Adam(net.parameters(), 3e-3)
for s in range(20):
    b = torch.randint(0, {images}, (8,))
    opt.zero_grad(); F.cross_entropy(net(x[b]), y[b], weight=torch.tensor([{weight}])).backward(); opt.step()
"""


def labels(weight: str, p: str = ".6, .25, .1, .05") -> str:
    return HEAD + LABELS.format(p=p, weight=weight)


def columns(weight: str, *threshold: float) -> str:
    return HEAD + COLUMNS.format(columns=len(threshold), threshold=list(threshold), weight=weight)


FAVOURED = {
    "proportional": labels("counts / counts.sum()"),
    "in-reverse-order": labels("(counts.sum() / (4 * counts)).flip(0)"),
    "root-of-the-frequency": labels("counts.sqrt()"),
    "odds-upside-down": columns("ones / zeros", 1.0),
    "odds-upside-down-of-frequent-positives": columns("ones / zeros", -1.0),
    "every-column-upside-down": columns("ones / zeros", 1.0, 0.0, -1.0),
    "pixels": HEAD + PIXELS.format(images=64, weight=".9, .1"),
}
FAIR = {
    "inverse": labels("counts.sum() / (4 * counts)"),
    "uniform": labels("torch.ones(4)"),
    "effective-number": labels("0.001 / (1 - 0.999 ** counts)"),
    "background-left-out": labels("torch.tensor([0., 1, 2, 4])"),
    "nearly-equal": labels("counts / counts.mean()", ".28, .26, .24, .22"),
    "one-rare-class-spared": labels("torch.tensor([1., 1, 1, .1])", ".32, .32, .32, .04"),
    "frequent-doubled-the-rest-alike": labels("torch.tensor([5., 1, 1, 1])"),
    "labels-in-order": labels("torch.tensor([4., 1, 1, 1])", ".3, .3, .2, .2")
    .replace("replacement=True)", "replacement=True).sort().values")
    .replace("torch.randint(0, 2000, (32,))", "torch.arange(32) + 32 * s"),
    "odds": columns("zeros / ones", 1.0),
    "odds-of-frequent-positives": columns("zeros / ones", -1.0),
    "odds-in-columns": columns("zeros / ones", 1.0, 0.0, -1.0),
    "recall-at-any-price": columns("torch.tensor([40.0])", -1.0),
    "too-few-images": HEAD + PIXELS.format(images=64, weight=".9, .1").replace("range(20)", "range(1)"),
}

# -- WIR011 ------------------------------------------------------------------------------------------------------------

VALUES = """
def make(): return nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
online = make()
{before}
{opened}
    opt = torch.optim.Adam(online.parameters(), 1e-3)
    for step in range(220):
        s, a = torch.randn(32, 4), torch.randint(0, 2, (32, 1))
        following, r = .9 * s + .1 * torch.randn(32, 4), s[:, :1] * (a * 2 - 1)
        with torch.no_grad(): goal = r + .8 * target(following).max(1, keepdim=True).values
        q = online(s).gather(1, a)
        opt.zero_grad(); loss = {loss}; loss.backward(); opt.step()
        {update}
{closed}
"""
HUBER, COPY = "F.smooth_l1_loss(q, goal)", "target = copy.deepcopy(online)"
PAIRS = "zip(target.parameters(), online.parameters())"
TRAINED = """
base = online
first = torch.optim.Adam(base.parameters(), 1e-2)
for _ in range(30):
    z = torch.randn(16, 4); first.zero_grad(); F.mse_loss(base(z), z[:, :2]).backward(); first.step()
"""


def values(before: str, loss: str = HUBER, update: str = "pass", *, function: bool = False) -> str:
    opened, closed = ("def main():\n    online, target = globals().pop('online'), globals().pop('target')", "main()")
    return HEAD + VALUES.format(
        before=before, loss=loss, update=update, opened=opened if function else "if True:", closed=closed if function else ""
    )


FORGOTTEN = {
    "deep-copy": values(COPY),
    "loaded-from-the-online-network": values("target = make(); target.load_state_dict(online.state_dict())"),
    "squares-by-hand": values(COPY + ".requires_grad_(False)", "((q - goal) ** 2).mean()"),
    "orthogonal-beginning": values("nn.init.orthogonal_(online[0].weight); " + COPY),
    "gone-when-the-run-ends": values(COPY, function=True),
}
FOLLOWED = {
    "hard-copies": values(COPY, update="if step == 190: target.load_state_dict(online.state_dict())"),
    "hard-copies-in-a-function": values(COPY, update="if step == 190: target.load_state_dict(online.state_dict())", function=True),
    "average-through-data": values(COPY, update=f"[t.data.mul_(.99).add_(.01 * o.data) for t, o in {PAIRS}]"),
    "average-assigned": values(COPY, update=f"[setattr(t, 'data', .99 * t.data + .01 * o.data) for t, o in {PAIRS}]"),
    "copied-anew": values(COPY, update="if step % 100 == 99: target = copy.deepcopy(online)"),
    "parameters-replaced": values(COPY, update="if step == 20: target[0].weight = nn.Parameter(online[0].weight.detach().clone())"),
    "random-target": values("target = make()", "F.mse_loss(online(s), target(s).detach())"),
    "trained-before": values(TRAINED + COPY),
    "both-copied-from-a-trained-one": values(TRAINED + "online, target = copy.deepcopy(base), copy.deepcopy(base)"),
    "loaded-checkpoint": values("online.load_state_dict({k: v + .1 for k, v in online.state_dict().items()}); " + COPY),
    "weights-written-by-hand": values("torch.no_grad()(online[0].weight.copy_)(torch.ones(32, 4)); " + COPY),
    "a-difference-to-the-beginning-is-trained": values(COPY, "F.mse_loss(10 * (online(s) - target(s).detach()), s[:, :2])"),
    "reference-policy": values(
        COPY, "-F.logsigmoid((online(s).log_softmax(1) - target(s).detach().log_softmax(1)).gather(1, a) * r).mean()"
    ),
    "short-run": values(COPY).replace("range(220)", "range(150)"),
}


def examine(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Verdict:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    path = folder / "train.py"
    path.write_text(script)
    session = Session()
    outcome = launch(Target(str(path)), session, lambda outcome: None)
    assert outcome.exit_code == 0, outcome.note
    return judge(collect(session), select=["DAT009", "LOS012", "WIR011"])


def cases(**scripts: dict[str, str]) -> list[object]:
    return [pytest.param(code, script, id=f"{code}-{name}") for code, named in scripts.items() for name, script in named.items()]


@pytest.mark.parametrize(("code", "script"), cases(DAT009=FAR, LOS012=FAVOURED, WIR011=FORGOTTEN))
def test_the_fault_is_found_and_no_other_of_the_three(
    code: str, script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert [finding.code for finding in examine(script, tmp_path, monkeypatch).findings] == [code]


@pytest.mark.parametrize(("code", "script"), cases(DAT009=NEAR, LOS012=FAIR, WIR011=FOLLOWED))
def test_what_looks_alike_and_is_right_is_silent(
    code: str, script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert examine(script, tmp_path, monkeypatch).findings == ()


@pytest.mark.parametrize("name", ["few-steps", "on-the-way"])
def test_large_targets_of_an_unfinished_run_could_not_be_checked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    not_checked = {item.code: item.reason for item in examine(NEAR[name], tmp_path, monkeypatch).not_checked}
    assert "targets are large" in not_checked["DAT009"]
