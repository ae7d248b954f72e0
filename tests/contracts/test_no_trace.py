"""A run that is observed is the run that is not: same bits, same output, and nothing of ours stays behind."""

import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules import module as module_globals
from torch.optim import lr_scheduler
from torch.utils.data import dataloader

from script_fixtures import fingerprint, plain_run
from torchclinic.observe.session import Session
from torchclinic.running.launcher import Target, launch

HEAD = """
import copy, random, sys
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

random.seed(0), np.random.seed(0), torch.manual_seed(0)
x, y = torch.randn(64, 6), torch.randint(0, 3, (64,))
net = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
"""
LOOP = """
for i in range(20):
    b = torch.randint(0, 64, (8,))
    opt.zero_grad()
    loss = F.cross_entropy(net(x[b]), y[b])
    loss.backward()
    opt.step()
    print(i, float(loss))
"""
SCRIPTS = {
    "plain": LOOP,
    "evaluation": LOOP
    + "net.eval()\nwith torch.no_grad():\n    print((net(x).argmax(1) == y).float().mean())\nnet.train()\n"
    + LOOP,
    "momentum-schedule": "opt = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)\n"
    "s = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 20)\n" + LOOP + "    s.step()\n",
    "accumulation": """
for i in range(24):
    (F.cross_entropy(net(x[i : i + 8]), y[i : i + 8]) / 4).backward()
    if i % 4 == 3:
        opt.step(); opt.zero_grad()
""",
    "lbfgs": """
opt = torch.optim.LBFGS(net.parameters(), lr=0.1, max_iter=4)
def closure():
    opt.zero_grad(); loss = F.cross_entropy(net(x), y); loss.backward(); return loss
for _ in range(5):
    print(float(opt.step(closure)))
""",
    "gan": """
other = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6))
critic = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(), nn.Linear(8, 1))
og, od = torch.optim.Adam(other.parameters()), torch.optim.Adam(critic.parameters())
for i in range(15):
    fake = other(torch.randn(8, 4))
    od.zero_grad(); (F.softplus(critic(fake.detach())).mean() + F.softplus(-critic(x[:8])).mean()).backward(); od.step()
    og.zero_grad(); F.softplus(-critic(fake)).mean().backward(); og.step()
""",
    "checkpointing": """
from torch.utils.checkpoint import checkpoint
for i in range(15):
    opt.zero_grad(); h = checkpoint(net[:3], x, use_reentrant=i % 2 == 0) if i else net[:3](x)
    F.cross_entropy(net[3:](h), y).backward(); opt.step()
""",
    "autocast-scaler": """
scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
for i in range(15):
    opt.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = F.cross_entropy(net(x), y)
    scaler.scale(loss).backward(); scaler.unscale_(opt); nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    scaler.step(opt); scaler.update()
""",
    "tied-transformer": """
class T(nn.Module):
    def __init__(self):
        super().__init__(); self.e = nn.Embedding(11, 8); self.t = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.o = nn.Linear(8, 11, bias=False); self.o.weight = self.e.weight
    def forward(self, t):
        return {"logits": self.o(self.t(self.e(t)))}
net = T(); opt = torch.optim.AdamW(net.parameters())
for i in range(12):
    t = torch.randint(0, 11, (4, 7)); opt.zero_grad()
    F.cross_entropy(net(t)["logits"].flatten(0, 1), t.flatten()).backward(); opt.step()
""",
    "hooks-ema": """
seen = []
net[0].register_forward_hook(lambda m, i, o: seen.append(float(o.sum())))
net[0].weight.register_hook(lambda g: g * 0.5)
ema = copy.deepcopy(net)
"""
    + LOOP
    + """    with torch.no_grad():
        for a, b in zip(ema.parameters(), net.parameters()): a.lerp_(b, 0.1)
print(sum(seen), [len(m._forward_hooks) for m in net])
""",
    "loader-workers": """
from torch.utils.data import DataLoader, TensorDataset
for e in range(2):
    for a, b in DataLoader(TensorDataset(x, y), 16, shuffle=True, num_workers=2 if e else 0):
        opt.zero_grad(); F.cross_entropy(net(a), b).backward(); opt.step()
""",
    "handmade-losses": """
hot, mask = F.one_hot(y, 3).float(), (x[:, :3] > 0).float()
for i in range(12):
    opt.zero_grad(); z = net(x); p, l = z.sigmoid(), z.log_softmax(1)
    loss = ((z - hot) ** 2).mean() + (mask * (z - hot).abs()).sum() / mask.sum() - l[torch.arange(64), y].mean()
    loss = loss - (hot * l).sum(1).mean() - (hot * p.log() + (1 - hot) * (1 - p).log()).mean()
    loss += 1 - (2 * (p * mask).sum() / (p.sum() + mask.sum()))
    loss.backward(); opt.step(); print(i, float(loss), float(hot.sum()), float(mask.sum()))
""",
    "plain-tensors": """
w = torch.randn(6, 3, requires_grad=True)
for i in range(15):
    loss = F.cross_entropy(x @ w, y); loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad; w.grad = None
    print(float(loss))
""",
    "inplace-reuse": """
block = nn.Linear(16, 16)
opt = torch.optim.SGD([*net.parameters(), *block.parameters()], 0.01)
for i in range(12):
    h = net[:2](x); h = F.relu_(block(F.relu_(block(h)))); h = h.clone(); h[:, :2] *= 0.5
    opt.zero_grad(); F.cross_entropy(net[4](h), y).backward(); opt.step()
""",
    "checkpoint-restore": LOOP + "best = copy.deepcopy(net.state_dict())\n" + LOOP + "net.load_state_dict(best)\n" + LOOP,
    "policy": """
for i in range(12):
    d = torch.distributions.Categorical(logits=net(x)); a = d.sample(); r = (a == y).float()
    opt.zero_grad(); (-(d.log_prob(a) * (r - r.mean())).mean() - 0.01 * d.entropy().mean()).backward(); opt.step()
""",
    "function-mode": "with torch.device('cpu'):\n" + "\n".join("    " + line for line in LOOP.splitlines()) + "\n",
    "exception": LOOP.replace("range(20)", "range(4)") + "raise ValueError('on purpose')\n",
    "exception-mid-step": LOOP.replace("    opt.step()", "    if i == 5: net(torch.zeros(2, 5))\n    opt.step()"),
    "sys-exit": LOOP + "sys.exit(3)\n",
    "interrupt": LOOP + "raise KeyboardInterrupt\n",
    "late-interrupt": LOOP.replace("    loss.backward()", "    loss.backward()\n    if i == 2: raise KeyboardInterrupt"),
}


def torch_as_it_is() -> list[Any]:
    """What an observation replaces or registers."""
    owners = [nn.Module, torch.optim.Optimizer, dataloader.DataLoader, dataloader._BaseDataLoaderIter, torch.amp.GradScaler]
    owners += [c for c in vars(lr_scheduler).values() if isinstance(c, type)]
    own = [(owner, name, value) for owner in owners for name, value in vars(owner).items() if callable(value)]
    functions = [torch.autograd.backward, torch.save, torch.compile, nn.utils.clip_grad_norm_, warnings.warn]
    functions += [sys.modules["__main__"], nn.utils.clip_grad.clip_grad_norm_]
    hooks = [len(value) for name, value in vars(module_globals).items() if name.startswith("_global_") and isinstance(value, dict)]
    optimizer_hooks = [len(torch.optim.Optimizer._global_hooks if hasattr(torch.optim.Optimizer, "_global_hooks") else ())]
    modes = len(torch.overrides._get_current_function_mode_stack())
    return [own, functions, hooks, optimizer_hooks, modes, torch.is_grad_enabled(), sys.argv, list(sys.path)]


@pytest.fixture(autouse=True)
def random_streams() -> Iterator[None]:
    state = torch.get_rng_state(), random.getstate(), np.random.get_state()
    yield
    torch.set_rng_state(state[0]), random.setstate(state[1]), np.random.set_state(state[2])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SCRIPTS)
def test_an_observed_run_is_bit_identical(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    path = tmp_path / "train.py"
    path.write_text(HEAD + SCRIPTS[name])
    plain: dict[str, Any] = {"__name__": "__main__"}
    plain_run(path, plain)
    expected, said = fingerprint(plain), capsys.readouterr().out
    before = torch_as_it_is()
    session = Session(budget=1.0)
    outcome = launch(Target(str(path)), session, lambda outcome: None)
    assert outcome.ending == {"exception": "raised", "exception-mid-step": "raised", "sys-exit": "exited"}.get(
        name, "interrupted" if "interrupt" in name else "finished"
    )
    assert capsys.readouterr().out == said
    assert fingerprint(outcome.names) == expected
    assert torch_as_it_is() == before
    assert session.state.limits == []
    assert session.state.clock.backwards > 0


def test_the_fingerprint_sees_a_single_bit() -> None:
    names = {"net": nn.Linear(2, 2)}
    before = fingerprint(names)
    names["net"].weight.data.view(torch.int32)[0, 0] ^= 1
    assert fingerprint(names) != before
