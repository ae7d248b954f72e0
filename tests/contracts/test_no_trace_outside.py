"""What a forward touches outside of its module is touched as often as without us, and by nobody else."""

import gc
import hashlib
import logging
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from script_fixtures import fingerprint, plain_run
from torchclinic.observe.session import Session
from torchclinic.running.launcher import Target, launch

SCRIPT = """
import collections, contextvars, csv, functools, itertools, json, logging, os, pickle, queue, random, shelve, socket, sqlite3
import subprocess, sys, threading, weakref
from pathlib import Path
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

random.seed(0), np.random.seed(0), torch.manual_seed(0)
count = 0
@SETUP


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
        self.calls, self.nested = 0, {"a": [[]]}

    def forward(self, x):
        global count
        count += 1
        @TOUCH
        return self.layers(x)


x, y = torch.randn(64, 6), torch.randint(0, 3, (64,))
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
def epochs():
    global loss
    for epoch in range(2):
        net.train()
        for i in range(12):
            b = torch.randint(0, 64, (8,))
            opt.zero_grad()
            loss = F.cross_entropy(net(x[b]), y[b])
            loss.backward()
            opt.step()
        net.eval()
        with torch.no_grad():
            right = (net(x).argmax(1) == y).float().mean()
@RUN
print(count, float(loss), @SEEN)
"""


class Outside(NamedTuple):
    touch: str
    seen: str = "count"
    setup: str = ""
    run: str = "epochs()"


def counting(base: str, method: str) -> str:
    """A mode of the script's own that counts what passes."""
    return (
        f"class Counts({base}):\n    def {method}(self, func, types, args=(), kwargs=None):\n"
        "        calls[getattr(func, '__name__', str(func))] += 1\n        return func(*args, **(kwargs or {}))\n"
        "calls = collections.Counter()\n"
    )


MODE = "with Counts(): epochs()"
OUTSIDE = {
    "nothing": Outside("pass"),
    "own-torch-generator": Outside(
        "x = x + torch.randn(x.shape, generator=g)", "g.get_state().sum()", "g = torch.Generator().manual_seed(1)"
    ),
    "own-numpy-generator": Outside("x = x + float(g.normal())", "g.bit_generator.state", "g = np.random.default_rng(1)"),
    "own-random-generator": Outside("x = x + g.random()", "g.random()", "g = random.Random(1)"),
    "list": Outside("seen.append(len(x))", "seen", "seen = []"),
    "deque": Outside("seen.append(float(x.sum()))", "seen", "seen = collections.deque(maxlen=50)"),
    "set": Outside("seen.add(float(x.sum()))", "len(seen)", "seen = set()"),
    "counter": Outside("seen[len(x)] += 1", "sorted(seen.items())", "seen = collections.Counter()"),
    "default-argument": Outside("remember(x)", "remember.__defaults__", "def remember(x, seen=[]): seen.append(len(x))"),
    "iterator": Outside("x = x * next(scales)", "next(scales)", "scales = iter(range(1, 10_000))"),
    "itertools-count": Outside("next(numbers)", "next(numbers)", "numbers = itertools.count()"),
    "generator-function": Outside(
        "walk.send(len(x))", "walk.send(1)", "def total():\n    s = 0\n    while True: s += (yield s)\nwalk = total(); next(walk)"
    ),
    "environment": Outside(
        "env.step()", "env.state", "class Env:\n    state = 1\n    def step(self): self.state = self.state * 7 % 101\nenv = Env()"
    ),
    "lru-cache": Outside("scale(len(x))", "scale.cache_info()", "@functools.lru_cache\ndef scale(n): return n"),
    "class-attribute": Outside("Net.seen = getattr(Net, 'seen', 0) + 1", "Net.seen"),
    "own-attribute": Outside("self.calls += 1", "net.calls"),
    "nested-attribute": Outside("self.nested['a'][0].append(len(x))", "net.nested"),
    "object-attribute": Outside("tracker.seen += 1", "tracker.seen", "class T: seen = 0\ntracker = T()"),
    "numpy-array": Outside("table[:] += 1", "table", "table = np.zeros(3)"),
    "global-tensor": Outside("table.add_(x.detach().sum())", "table", "table = torch.zeros(3)"),
    "environment-variable": Outside("os.environ['SEEN'] = str(count)", "os.environ['SEEN']"),
    "context-variable": Outside("v.set(v.get() + 1)", "v.get()", "v = contextvars.ContextVar('v', default=0)"),
    "weak-dictionary": Outside("names[self] = names.get(self, 0) + 1", "names[net]", "names = weakref.WeakKeyDictionary()"),
    "queue": Outside("q.put(len(x))", "q.qsize()", "q = queue.Queue()"),
    "thread": Outside("t = threading.Thread(target=seen.append, args=(1,)); t.start(); t.join()", "len(seen)", "seen = []"),
    "gradient-mode": Outside("seen[torch.is_grad_enabled()] += 1", "sorted(seen.items())", "seen = collections.Counter()"),
    "train-mode": Outside("seen[self.training] += 1", "sorted(seen.items())", "seen = collections.Counter()"),
    "print": Outside("print(len(x))"),
    "standard-error": Outside("print(len(x), file=sys.stderr)"),
    "file": Outside("out.write(f'{len(x)}\\n')", "out.tell()", "out = open('log.txt', 'w')"),
    "file-opened-anew": Outside("open('log.txt', 'a').write('x')", "Path('log.txt').stat().st_size"),
    "write-text": Outside("Path('count.txt').write_text(str(count))", "Path('count.txt').read_text()"),
    "file-read": Outside(
        "x = x * float(lines.readline())", "lines.tell()", "Path('n').write_text('1.0\\n' * 999); lines = open('n')"
    ),
    "file-descriptor": Outside("os.write(fd, b'x')", "os.lseek(fd, 0, 1)", "fd = os.open('raw', os.O_CREAT | os.O_RDWR)"),
    "csv": Outside("w.writerow([len(x)])", "f.tell()", "f = open('a.csv', 'w', newline=''); w = csv.writer(f)"),
    "json": Outside("json.dump(count, open('a.json', 'w'))", "Path('a.json').read_text()"),
    "pickle": Outside("pickle.dump(count, open('a.pkl', 'wb'))"),
    "folders": Outside("os.makedirs(f'd/{count}')", "len(os.listdir('d'))"),
    "removed-file": Outside(
        "Path(str(left.pop())).unlink()", "left", "left = list(range(99))\nfor i in left: Path(str(i)).touch()"
    ),
    "logging": Outside(
        "log.warning('x')",
        "Path('a.log').read_text().count('x')",
        "log = logging.getLogger('a'); log.propagate = False; log.addHandler(logging.FileHandler('a.log'))",
    ),
    "sqlite-memory": Outside(
        "db.execute('insert into t values (1)')",
        "db.execute('select count(*) from t').fetchone()",
        "db = sqlite3.connect(':memory:'); db.execute('create table t (a)')",
    ),
    "sqlite-file": Outside(
        "db.execute('insert into t values (1)'); db.commit()",
        "db.execute('select count(*) from t').fetchone()",
        "db = sqlite3.connect('a.db'); db.execute('create table t (a)')",
    ),
    "shelve": Outside("s[str(count)] = 1", "len(s), s.close()", "s = shelve.open('shelf')"),
    "torch-save": Outside("torch.save(x, f'{count}.pt')", "len(list(Path().glob('*.pt')))"),
    "numpy-save": Outside("np.save(f'{count}.npy', x.numpy())", "len(list(Path().glob('*.npy')))"),
    "memory-map": Outside("m[0] += 1", "m[0]", "m = np.memmap('m', dtype=np.int64, mode='w+', shape=(1,))"),
    "socket": Outside("a.send(b'x')", "len(b.recv(9999))", "a, b = socket.socketpair()"),
    "pipe": Outside("os.write(out, b'x')", "len(os.read(into, 9999))", "into, out = os.pipe()"),
    "child-process": Outside("subprocess.run('echo x >> seen', shell=True, check=True)", "Path('seen').stat().st_size"),
    "broad-except": Outside("exec(\"try: open('log.txt', 'a').write('x')\\nexcept Exception: pass\")"),
    "global-random-streams": Outside("x = x * random.random() * np.random.rand() + torch.randn(1)"),
    "global-hook": Outside(
        "pass", "seen", "seen = []\nnn.modules.module.register_module_forward_hook(lambda m, i, o: seen.append(type(m).__name__))"
    ),
    "profiler-of-ours": Outside(
        "pass",
        "seen['call', 'forward']",
        "seen = collections.Counter()\ndef profile(f, e, a):\n    mine = f.f_code.co_filename.endswith('train.py')\n"
        "    seen[e, f.f_code.co_name] += mine and f.f_code.co_name == 'forward'",
        "sys.setprofile(profile); epochs(); sys.setprofile(None)",
    ),
    "patched-relu": Outside(
        "pass", "seen", "seen = []\ndef relu(*a, _o=F.relu, **k):\n    seen.append(1)\n    return _o(*a, **k)\nF.relu = relu"
    ),
    "patched-dropout": Outside(
        "pass",
        "seen",
        "seen = []\ndef dropout(*a, _o=F.dropout, **k):\n    seen.append(1)\n    return _o(*a, **k)\nF.dropout = dropout",
    ),
    "patched-cross-entropy": Outside(
        "pass",
        "seen",
        "seen = []\ndef loss_of(x, y, _o=F.cross_entropy):\n    seen.append(1)\n    return 2 * _o(x, y)\nF.cross_entropy = loss_of",
    ),
    "function-mode": Outside("pass", "sorted(calls.items())", counting("TorchFunctionMode", "__torch_function__"), MODE),
    "dispatch-mode": Outside("pass", "sorted(calls.items())", counting("TorchDispatchMode", "__torch_dispatch__"), MODE),
}


def left(folder: Path, names: dict[str, Any]) -> tuple[str, dict[str, str]]:
    files = {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}
    return fingerprint(names), files


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_outside_is_touched_by_us(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = OUTSIDE[name]
    script = (
        SCRIPT.replace("@SETUP", case.setup).replace("@TOUCH", case.touch).replace("@SEEN", case.seen).replace("@RUN", case.run)
    )
    ends = []
    for observed in (False, True):
        folder = tmp_path / str(observed)
        folder.mkdir()
        monkeypatch.chdir(folder)
        (folder / "train.py").write_text(script)
        with monkeypatch.context() as patched:
            restore(patched)
            names: dict[str, Any] = {"__name__": "__main__", "__file__": "train.py"}
            if observed:
                names = launch(Target("train.py"), Session(budget=1.0), lambda outcome: None).names
            else:
                plain_run(folder / "train.py", names)
        said = capfd.readouterr()
        ends.append((*left(folder, names), said.out, said.err))
        logging.getLogger("a").handlers.clear()
        names.clear()
        gc.collect()  # files that a script leaves open are closed here, not in another test
    assert ends[0][2].strip()
    assert ends[1] == ends[0]


def restore(patched: pytest.MonkeyPatch) -> None:
    """What a script may replace comes back after it."""
    from torch.nn import functional
    from torch.nn.modules import module

    for function in ("relu", "dropout", "cross_entropy"):
        patched.setattr(functional, function, getattr(functional, function))
    patched.setattr(module, "_global_forward_hooks", type(module._global_forward_hooks)())
    patched.setenv("SEEN", "")
