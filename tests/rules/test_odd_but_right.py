"""Scripts that look wrong to a hasty reader and are right: no finding, no rule that failed, nothing left unobserved."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

HEAD = """
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
centres = torch.randn(5, 12)
def batch(rows=48):
    y = torch.randint(0, 5, (rows,))
    return centres[y] + torch.randn(rows, 12), y
net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 5))
"""
SCRIPTS = {
    "one-graph-for-training-and-test": """
x, y = batch(200)
near = torch.eye(200) + (torch.cdist(x, x) < 3.5).float()
near = near / near.sum(1, keepdim=True)
train_nodes, test_nodes = torch.randperm(200).split(100)
class Graph(nn.Module):
    def __init__(self):
        super().__init__(); self.a, self.b = nn.Linear(12, 32), nn.Linear(32, 5)
    def forward(self, x, near):
        return near @ self.b(F.relu(near @ self.a(x)))
net = Graph()
opt = torch.optim.Adam(net.parameters(), 1e-2)
for s in range(80):
    opt.zero_grad(); F.cross_entropy(net(x, near)[train_nodes], y[train_nodes]).backward(); opt.step()
    if s % 20 == 19:
        with torch.no_grad(): accuracy = (net(x, near)[test_nodes].argmax(1) == y[test_nodes]).float().mean()
""",
    "epochs-that-begin-alike": """
x, y = batch(240)
order = (x - centres[y]).norm(dim=1).argsort()
opt = torch.optim.SGD(net.parameters(), 0.05)
for epoch in range(9):
    for pick in order.split(12):
        opt.zero_grad(); F.cross_entropy(net(x[pick]), y[pick]).backward(); opt.step()
    net.eval()
    with torch.no_grad(): loss = F.cross_entropy(net(x), y)
    net.train()
""",
    "double-by-default": """
torch.set_default_dtype(torch.float64)
try:
    centres = centres.double()
    net = nn.Sequential(nn.Linear(12, 48), nn.Tanh(), nn.Linear(48, 5))
    opt = torch.optim.SGD(net.parameters(), 0.2)
    for s in range(60):
        x, y = batch(); opt.zero_grad(); F.cross_entropy(net(x), y).backward(); opt.step()
finally:
    torch.set_default_dtype(torch.float32)
""",
    "gradients-per-sample": """
from torch.func import functional_call, grad, vmap
opt = torch.optim.SGD(net.parameters(), 0.2)
def loss_of(p, x, y):
    return F.cross_entropy(functional_call(net, p, (x[None],)), y[None])
for s in range(60):
    x, y = batch()
    each = vmap(grad(loss_of), (None, 0, 0))({k: p.detach() for k, p in net.named_parameters()}, x, y)
    opt.zero_grad(); F.cross_entropy(net(x), y).backward()
    for k, p in net.named_parameters(): p.grad.add_(0 * each[k].mean(0))
    opt.step()
""",
    "attacks-in-eval-mode": """
net = nn.Sequential(nn.Linear(12, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 5))
opt = torch.optim.SGD(net.parameters(), 0.1)
for s in range(60):
    x, y = batch()
    net.eval(); d = torch.zeros_like(x).uniform_(-0.1, 0.1)
    for _ in range(2):
        d.requires_grad_(True)
        (g,) = torch.autograd.grad(F.cross_entropy(net(x + d), y), d)
        d = (d.detach() + 0.1 * g.sign()).clamp(-0.2, 0.2)
    net.train(); opt.zero_grad(); F.cross_entropy(net(x + d), y).backward(); opt.step()
""",
    "sharpness-aware": """
opt = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
for s in range(60):
    x, y = batch()
    opt.zero_grad(); F.cross_entropy(net(x), y).backward(); moved = []
    with torch.no_grad():
        norm = torch.stack([p.grad.norm() for p in net.parameters()]).norm()
        for p in net.parameters():
            moved.append(0.05 * p.grad / norm); p.add_(moved[-1])
    opt.zero_grad(); F.cross_entropy(net(x), y).backward()
    with torch.no_grad():
        for p, move in zip(net.parameters(), moved): p.sub_(move)
    opt.step()
""",
    "cosine-head-with-margin": """
encoder, W = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 12)), nn.Parameter(torch.randn(5, 12))
opt = torch.optim.Adam([*encoder.parameters(), W], 3e-3)
for s in range(80):
    x, y = batch()
    cosine = F.normalize(encoder(x), dim=1) @ F.normalize(W, dim=1).T
    opt.zero_grad(); F.cross_entropy(32 * (cosine - 0.3 * F.one_hot(y, 5)), y).backward(); opt.step()
""",
    "learned-temperature": """
scale = nn.Parameter(torch.tensor(1.0))
class Scaled(nn.Module):
    def __init__(self): super().__init__(); self.net, self.scale = net, nn.Parameter(torch.tensor(1.0))
    def forward(self, x): return self.net(x) * self.scale
class Scale(nn.Module):
    def __init__(self): super().__init__(); self.by = nn.Parameter(torch.tensor(1.0))
    def forward(self, x): return x * self.by
model = nn.Sequential(Scaled(), Scale())
opt = torch.optim.AdamW(model.parameters(), 1e-2)
for s in range(60):
    x, y = batch()
    opt.zero_grad(); F.cross_entropy(model(x), y).backward(); opt.step()
""",
    "equal-by-chance": """
def bits(n):
    x = torch.randint(0, 2, (n, 12)).float()
    return x, x.sum(1, keepdim=True) - 6
model = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 1))
opt = torch.optim.Adam(model.parameters(), 1e-2)
valid_x, valid_y = bits(300)
for epoch in range(3):
    for s in range(25):
        x, y = bits(64)
        opt.zero_grad(); F.mse_loss(model(x), y).backward(); opt.step()
    with torch.no_grad(): valid = F.mse_loss(model(valid_x), valid_y)
""",
    "folds": """
x, y = batch(120)
for fold in range(4):
    test = torch.arange(120) % 4 == fold
    train_x, train_y = x[~test], y[~test]
    net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 5))
    opt = torch.optim.Adam(net.parameters(), 1e-2)
    for s in range(30):
        opt.zero_grad(); F.cross_entropy(net(train_x), train_y).backward(); opt.step()
    with torch.no_grad():
        test_x = x[test]
        accuracy = (net(test_x).argmax(1) == y[test]).float().mean()
""",
    "labels-of-two-kinds": """
domain = nn.Linear(48, 2)
opt = torch.optim.Adam([*net.parameters(), *domain.parameters()], 3e-3)
data = [batch(8) for _ in range(30)]
rare = [(x, torch.zeros(8, dtype=torch.long)) for x, _ in data]
for source in (data, rare) * 2:
    for x, y in torch.utils.data.DataLoader(source, batch_size=None):
        opt.zero_grad(); hidden = net[1](net[0](x))
        loss = F.cross_entropy(net[2](hidden), y) if source is data else F.cross_entropy(domain(hidden), y)
        loss.backward(); opt.step()
""",
    "block-that-rests-at-first": """
class Two(nn.Module):
    def __init__(self): super().__init__(); self.mean, self.spread = nn.Linear(12, 1), nn.Linear(12, 1)
    def forward(self, x): return self.mean(x), self.spread(x).exp()
def train(model):
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    for s in range(300):
        x = torch.randn(48, 12); y = x[:, :1] + 0.1 * torch.randn(48, 1)
        mean, spread = model(x)
        loss = F.mse_loss(mean, y) if s < 200 else F.gaussian_nll_loss(mean, y, spread)
        opt.zero_grad(); loss.backward(); opt.step()
train(Two())
""",
    "average-of-dropout-masks": """
model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 5))
opt = torch.optim.Adam(model.parameters(), 3e-3)
for epoch in range(3):
    model.train()
    for s in range(20):
        x, y = batch()
        opt.zero_grad(); F.cross_entropy(model(x), y).backward(); opt.step()
    x, y = batch(400)
    with torch.no_grad():
        model.eval(); (model(x).argmax(1) == y).float().mean()
        model.train(); torch.stack([model(x).softmax(1) for _ in range(20)]).mean(0)
""",
    "term-whose-factor-rises-from-zero": """
head = nn.Linear(48, 12)
opt = torch.optim.Adam([*net.parameters(), *head.parameters()], 3e-3)
for s in range(200):
    x, y = batch(); hidden = net[1](net[0](x))
    loss = F.cross_entropy(net[2](hidden), y) + max(0.0, s / 100 - 0.5) * F.mse_loss(head(hidden), x)
    opt.zero_grad(); loss.backward(); opt.step()
""",
    "expert-that-is-never-chosen": """
class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.experts = nn.Linear(12, 3), nn.ModuleList(nn.Linear(12, 5) for _ in range(3))
        nn.init.zeros_(self.gate.weight); self.gate.bias.data = torch.tensor([1.0, 1.0, -1e4])
    def forward(self, x):
        share = self.gate(x).softmax(1)
        return sum(share[:, i : i + 1] * expert(x) for i, expert in enumerate(self.experts))
model = Mixture()
opt = torch.optim.SGD(model.parameters(), 0.05)
for s in range(60):
    x, y = batch()
    opt.zero_grad(); F.cross_entropy(model(x), y).backward(); opt.step()
""",
    "averaged-target-in-train-mode": """
body = nn.Sequential(nn.Linear(12, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8))
import copy
class Twins(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.predict = body, nn.Linear(8, 8)
        self.target = copy.deepcopy(body).requires_grad_(False)
    def forward(self, a, b):
        with torch.no_grad(): z = self.target(b)
        return 2 - 2 * F.cosine_similarity(self.predict(self.body(a)), z).mean()
model = Twins()
opt = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 2e-3)
for s in range(60):
    x, _ = batch()
    loss = model(x + 0.1 * torch.randn_like(x), x + 0.1 * torch.randn_like(x))
    opt.zero_grad(); loss.backward(); opt.step()
    with torch.no_grad():
        for t, o in zip(model.target.parameters(), model.body.parameters()): t.data.lerp_(o, 0.01)
""",
    "units-silent-on-data-of-one-dimension": """
net = nn.Sequential(nn.Linear(1, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 1))
opt = torch.optim.Adam(net.parameters(), 3e-3)
for s in range(60):
    x = 2 * torch.rand(48, 1) - 1
    opt.zero_grad(); F.mse_loss(net(x), x.sin()).backward(); opt.step()
""",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_is_found_and_everything_is_observed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(HEAD + SCRIPTS[name])
    session = Session()
    outcome = launch(Target("train.py"), session, lambda outcome: None)
    run = collect(session)
    verdict = judge(run)
    assert (outcome.exit_code, [limit for limit in run.limits if "torch.func" not in limit]) == (0, [])
    assert [(f.code, f.message) for f in verdict.findings] == []
    assert [(n.code, n.reason) for n in verdict.not_checked if "failed" in n.reason] == []
