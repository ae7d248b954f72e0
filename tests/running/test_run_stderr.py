"""What a script writes to stderr under observation is what it writes without: warnings, tracebacks, and their order."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from torchclinic.error_notes import explanation_for
from torchclinic.error_notes.recorder import Recorder
from torchclinic.observe.session import Session
from torchclinic.running.launcher import Target, launch
from torchclinic.script import frames

HEAD = """
import logging, sys, traceback, warnings
import torch
from torch import nn
from torch.nn import functional as F
torch.manual_seed(0)
x, y = torch.randn(16, 4), torch.randint(0, 3, (16,))
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
opt = torch.optim.SGD(net.parameters(), 0.1)
def step():
    opt.zero_grad(); loss = F.cross_entropy(net(x), y); loss.backward(); opt.step()
    return loss
"""
WARNINGS = """
from warnings import warn
s = torch.optim.lr_scheduler.StepLR(opt, 5)
def fallback():
    warnings.warn("counted from the caller", stacklevel=2)
class Loud(nn.Module):
    def forward(self, x):
        warnings.warn("counted through a module", stacklevel=4); fallback(); return F.softmax(x)
for i in range(30):
    F.mse_loss(net(x), x[:, :1])
    for twice in range(2): F.mse_loss(net(x), x[:, :1])
    F.softmax(net(x)), nn.Softmax()(x), Loud()(x)
    if i == 0: s.step()
    (net[0].weight * 1).grad
    torch.randn(3, 4, 5).T
    torch.tensor([2.0]).std()
    step()
    fallback(); warn("bound early", DeprecationWarning); warnings.warn(UserWarning("an instance"))
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    torch.tensor([3.0]).std(); F.softmax(x)
print([(w.filename, w.lineno) for w in heard], file=sys.stderr)
"""
SCRIPTS = {
    "warnings": WARNINGS,
    "warnings-once": "warnings.simplefilter('once')" + WARNINGS,
    "warnings-module": "warnings.simplefilter('module')" + WARNINGS,
    "warnings-of-main": "warnings.simplefilter('ignore'); warnings.filterwarnings('default', module='__main__')" + WARNINGS,
    "warnings-always": "warnings.simplefilter('always')" + WARNINGS,
    "said-in-forward": """
class Loud(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 3)
    def forward(self, x):
        print("forward", file=sys.stderr); logging.warning("logged"); warnings.warn("warned")
        torch.ones(2, 3, 4).T, F.softmax(x), x[:1].std(0)
        return self.b(self.a(x).relu())
net = Loud(); opt = torch.optim.SGD(net.parameters(), 0.1)
for i in range(12): step()
""",
    "warning-as-error": "warnings.simplefilter('error')\nfor i in range(3):\n    step(); torch.tensor([2.0]).std()\n",
    "loss-shapes": "step()\nF.cross_entropy(net(x), y[:3])\n",
    "in-module": "step()\nnet(torch.zeros(2, 5))\n",
    "pooling": "step()\nF.max_pool2d(torch.zeros(2, 5), (1, 2, 3))\n",
    "reflected": "step()\n[1, 2] - x\n",
    "in-place": "w = torch.zeros(3, requires_grad=True)\nh = w.exp()\nh += 1\nh.sum().backward()\n",
    "second-backward": "loss = step()\nloss.backward()\n",
    "no-path": "step()\nloss = F.cross_entropy(net(x).detach(), y)\nloss.backward()\n",
    "later-step": "for i in range(40): step()\nh = net(x).exp()\nh += 1\nh.sum().backward()\n",
    "data-set": """
class Rows(torch.utils.data.Dataset):
    def __len__(self): return 8
    def __getitem__(self, i): return x[i], y[i].view(3)
for a, b in torch.utils.data.DataLoader(Rows(), 4): step()
""",
    "scheduler": "step()\ntorch.optim.lr_scheduler.StepLR(opt)\n",
    "optimizer": "step()\ntorch.optim.SGD([], 0.1)\n",
    "state-dict": "step()\nnet.load_state_dict({'0.weight': torch.zeros(1)})\n",
    "clipping": "step()\nnn.utils.clip_grad_norm_(net.parameters(), 'x')\n",
    "chained": "def f():\n    net(torch.zeros(2, 5))\ntry:\n    step(); f()\n"
    "except RuntimeError as e:\n    raise KeyError('mine') from e\n",
    "context": "try:\n    step(); net(torch.zeros(2, 5))\nexcept RuntimeError:\n    x @ x\n",
    "group": """
errors = []
for width in (5, 6):
    try: step(); net(torch.zeros(2, width))
    except RuntimeError as error: errors.append(error)
raise ExceptionGroup('several', errors)
""",
    "caught": "try:\n    step(); net(torch.zeros(2, 5))\nexcept RuntimeError:\n"
    "    traceback.print_exc(); logging.exception('again')\n",
    "made": """
class Net(nn.Module):
    def __init__(self): super().__init__(); warnings.warn("made", stacklevel=2); self.a = nn.Linear(4)
try: Net()
except TypeError: traceback.print_exc()
nn.Module.__init__(net, 3)
""",
    "hook": "sys.excepthook = lambda kind, error, tb: print(kind, len(traceback.extract_tb(tb)), file=sys.stderr)\n"
    "step()\nnet(torch.zeros(2, 5))\n",
}
OURS = ("torchclinic explains:", "torchclinic run")


EVERY_RUN = """
import os, sys, types
import torch, torchclinic.cli.run, torchclinic.running.launcher
from torchclinic.cli.main import main
def plain(path):
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__.update(__file__=path, __builtins__=__builtins__)
    try:
        exec(compile(open(path).read(), path, "exec"), main.__dict__)
    except Exception as error:
        error.__traceback__ = error.__traceback__.tb_next
        sys.excepthook(type(error), error, error.__traceback__)
warm, *paths = sys.argv[1:]
said, sys.stderr = sys.stderr, open(os.devnull, "w")
try:
    main(["run", warm])  # what is imported late is imported once
except SystemExit:
    sys.stderr = said
for path in paths:
    for name, run in (("plain", plain), ("observed", lambda path: main(["run", path]))):
        child = os.fork()
        if not child:
            os.dup2(os.open(f"{path}.{name}", os.O_WRONLY | os.O_CREAT), 2)
            try:
                run(path)
            finally:
                sys.stderr.flush(); os._exit(0)
        os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every script has run twice, each time in a process of its own that was forked from one in which torch is loaded."""
    folder = tmp_path_factory.mktemp("scripts")
    for name, script in SCRIPTS.items():
        (folder / name).mkdir()
        (folder / name / "train.py").write_text(HEAD + script)
    (folder / "warm.py").write_text(HEAD + "step()\n")
    paths = [str(folder / "warm.py"), *(str(folder / name / "train.py") for name in SCRIPTS)]
    subprocess.run([sys.executable, "-c", EVERY_RUN, *paths], timeout=300, check=True, stdout=subprocess.DEVNULL)
    return folder


def up_to_our_report(lines: list[str]) -> list[str]:
    return lines[: next(i for i, line in enumerate(lines) if line.startswith(OURS))]


@pytest.mark.parametrize("name", SCRIPTS)
def test_stderr_is_that_of_a_plain_run_up_to_our_report(name: str, folder: Path) -> None:
    plain, observed = ((folder / name / f"train.py.{run}").read_text().splitlines() for run in ("plain", "observed"))
    assert plain
    assert up_to_our_report(observed) == plain


def test_a_plain_run_is_what_the_interpreter_does(folder: Path) -> None:
    path = folder / "warnings" / "train.py"
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == path.with_name("train.py.plain").read_text()


def explained(tmp_path: Path, script: str, head: str = HEAD, *, budget: float = 1.0) -> str:
    path = tmp_path / "train.py"
    path.write_text(head + script)
    with warnings.catch_warnings():
        outcome = launch(Target(str(path)), Session(budget=budget), lambda outcome: None)
    assert outcome.crash is not None
    return outcome.crash.text()


@pytest.mark.parametrize(
    ("script", "culprit"),
    [
        ("w = torch.zeros(3, requires_grad=True)\nh = w.exp()\nh += 1\nh.sum().backward()\n", "h += 1 (add_)"),
        ("step()\nh = net(x).exp()\nh.mul_(2)\nh.sum().backward()\n", "h.mul_(2) (mul_)"),
        ("loss = F.cross_entropy(net(x), y)\nloss.backward()\nz = 1\nloss.backward()\n", "(the first backward)"),
        ("out = net(x)\nout = out.detach()\nF.cross_entropy(out, y).backward()\n", "out = out.detach() (detach)"),
        ("t = x.t()\nt.view(-1)\n", "t = x.t() (t)"),
        ("loss = F.cross_entropy(net(x), y)\nopt.step()\nstep()\nopt.step()\nloss.backward()\n", "opt.step()"),
    ],
)
def test_the_line_that_did_it_is_named_as_by_explain_errors(tmp_path: Path, script: str, culprit: str) -> None:
    said = explained(tmp_path, script)
    done_by = said.split("  done by")[1].split("  fix")[0]
    assert culprit in done_by
    assert "train.py:" in done_by


def test_a_step_that_was_not_observed_is_said_to_be_so(tmp_path: Path) -> None:
    loop = "def f(i):\n    h = net(x).exp()\n    if i == 40:\n        h += 1\n    h.sum().backward(); opt.step()\n"
    loop += "for i in range(41): f(i)\n"
    assert "done by  not seen: step 40 was not observed in full" in explained(tmp_path, loop, budget=0.0)


def test_what_a_long_preamble_hides_is_said_to_be_hidden(tmp_path: Path) -> None:
    preamble = "import torch\nx = torch.zeros(1)\nfor i in range(21_000): x.t()\n"
    script = "h = torch.zeros(3, requires_grad=True).exp()\nh += 1\nh.sum().backward()\n"
    said = explained(tmp_path, script, preamble)
    assert "done by  not seen: of the calls before the first model the first 20,000 were observed" in said


def test_a_write_of_an_earlier_step_is_said_to_be_of_an_earlier_step(tmp_path: Path) -> None:
    loop = "def f(i):\n    global h\n    h = net(x).exp()\n    h += 1\n"
    loop += "    (net(x) if i < 39 else h).sum().backward(); opt.step()\nfor i in range(40): f(i)\n"
    said = explained(tmp_path, loop, budget=0.0)
    assert "h += 1 (add_, in an earlier step: step 39 was not observed in full)" in said


def test_a_witness_sees_what_a_recorder_of_the_same_block_sees(tmp_path: Path) -> None:
    script = "h = net(x).exp()\nh += 1\nh.sum().backward()\n"
    observed = explained(tmp_path, script)
    names: dict[str, object] = {}
    with Recorder() as past, pytest.raises(RuntimeError) as caught:
        exec(compile(HEAD + script, str(tmp_path / "train.py"), "exec"), names)
    assert explanation_for(caught.value.with_traceback(caught.tb.tb_next), past) == observed
    assert torch.overrides._get_current_function_mode_stack() == []


def test_warnings_warn_is_put_back() -> None:
    before = warnings.warn
    with Session(budget=1.0):
        assert warnings.warn is not before
    assert warnings.warn is before


def test_every_module_that_wraps_a_function_of_torch_hides_its_frames() -> None:
    here = Path(frames.__file__)
    files = [here, *(here.parents[1] / "observe").rglob("*.py")]
    wrapping = {path for path in files if "def wrap_" in path.read_text() or "def _wrap_" in path.read_text()}
    assert len(wrapping) > 5
    assert {path.name for path in wrapping if not frames.is_own(compile("", str(path), "exec"))} == set()
