"""Scripts on the CPU and, where there is one, on a GPU: observed without a trace, silent on healthy runs, faults named.

Without a GPU the second half is skipped, visibly.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from script_fixtures import fingerprint, plain_run
from torchclinic.cli.main import main
from torchclinic.observe.session import Session
from torchclinic.running.launcher import Target, launch

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"))]
pytestmark = pytest.mark.filterwarnings("ignore")  # of the scripts
GPU_ONLY = ("fp16-scaler", "cuda-graph", "pinned-loader", "side-stream", "graphed-callable")

HEAD = """
import copy
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

device = torch.device("DEVICE")
torch.manual_seed(0)
torch.backends.cudnn.deterministic = True
x = torch.randn(512, 1, 8, 8)
y = (x.flatten(1) @ torch.randn(64, 4)).argmax(1)
train, test = TensorDataset(x[:384], y[:384]), TensorDataset(x[384:], y[384:])
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
        self.drop, self.head = nn.Dropout(0.2), nn.Linear(256, 4)
    def forward(self, x):
        return self.head(self.drop(self.features(x).flatten(1)))
net = Net().to(device)
opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
"""
EPOCHS = """
for epoch in range(4):
    net.train()
    for a, b in DataLoader(train, 32, shuffle=True):
        a, b = a.to(device), b.to(device)
        opt.zero_grad()
        loss = F.cross_entropy(net(a), b)
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        hits = sum((net(a.to(device)).argmax(1) == b.to(device)).sum().item() for a, b in DataLoader(test, 64))
    print(epoch, loss.item(), hits / len(test))
"""
SAME = """
x, y = x[:384].to(device), y[:384].to(device)
def batches(epochs):
    for _ in range(epochs):
        yield from torch.randperm(384).to(device).split(32)
"""
HEALTHY = {
    "epochs": EPOCHS,
    "channels-last": "net = net.to(memory_format=torch.channels_last)\n" + EPOCHS,
    "bf16": EPOCHS.replace("loss = F", "with torch.autocast(device.type, dtype=torch.bfloat16): loss = F"),
    "fused": "opt = torch.optim.AdamW(net.parameters(), lr=3e-3, fused=True)\n" + EPOCHS,
    "transformer": SAME
    + """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(32), nn.Linear(32, 96), nn.Linear(32, 32)
    def forward(self, h):
        q, k, v = self.qkv(self.norm(h)).unflatten(-1, (3, 4, 8)).permute(2, 0, 3, 1, 4)
        return h + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
net = nn.Sequential(nn.Linear(8, 32), Block(), Block(), nn.Flatten(), nn.Linear(256, 4)).to(device)
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for b in batches(8):
    opt.zero_grad(set_to_none=False)
    F.cross_entropy(net(x[b, 0]), y[b]).backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
""",
    "lstm": SAME
    + """
class Reader(nn.Module):
    def __init__(self):
        super().__init__(); self.lstm, self.head = nn.LSTM(8, 32, batch_first=True), nn.Linear(32, 4)
    def forward(self, rows):
        return self.head(self.lstm(rows)[1][0][-1])
net = Reader().to(device)
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for b in batches(10):
    opt.zero_grad(); F.cross_entropy(net(x[b, 0]), y[b]).backward(); opt.step()
""",
    "checkpointed": SAME
    + """
from torch.utils.checkpoint import checkpoint
for b in batches(6):
    opt.zero_grad()
    h = checkpoint(net.features, x[b], use_reentrant=False).flatten(1)
    F.cross_entropy(net.head(net.drop(h)), y[b]).backward(); opt.step()
""",
    "gan": SAME
    + """
maker = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64)).to(device)
critic = nn.Sequential(nn.Linear(64, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)).to(device)
om, oc = torch.optim.Adam(maker.parameters(), 1e-3), torch.optim.Adam(critic.parameters(), 1e-3)
for b in batches(5):
    fake = maker(torch.randn(32, 8, device=device))
    oc.zero_grad(); (F.softplus(critic(fake.detach())) + F.softplus(-critic(x[b].flatten(1)))).mean().backward(); oc.step()
    om.zero_grad(); F.softplus(-critic(fake)).mean().backward(); om.step()
""",
    "fp16-scaler": EPOCHS.replace("loss = F", "with torch.autocast(device.type, dtype=torch.float16): loss = F")
    .replace("loss.backward()", "scaler.scale(loss).backward(); scaler.unscale_(opt)")
    .replace("opt.step()", "nn.utils.clip_grad_norm_(net.parameters(), 5.0); scaler.step(opt); scaler.update()")
    .replace("\nfor epoch", "\nscaler = torch.amp.GradScaler(device.type)\nfor epoch", 1),
    "pinned-loader": EPOCHS.replace("shuffle=True", "shuffle=True, pin_memory=True, num_workers=1, drop_last=True").replace(
        ".to(device), b.to(device)\n", ".to(device, non_blocking=True), b.to(device, non_blocking=True)\n"
    ),
    "side-stream": SAME
    + """
side = torch.cuda.Stream()
for b in batches(6):
    with torch.cuda.stream(side):
        a = x[b] * 1.0
    torch.cuda.current_stream().wait_stream(side)
    opt.zero_grad(); F.cross_entropy(net(a), y[b]).backward(); opt.step()
    side.wait_stream(torch.cuda.current_stream())
""",
    "cuda-graph": SAME
    + """
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)).to(device)
opt = torch.optim.SGD(net.parameters(), 0.1)
a, t = torch.zeros(32, 1, 8, 8, device=device), torch.zeros(32, dtype=torch.long, device=device)
side = torch.cuda.Stream()
side.wait_stream(torch.cuda.current_stream())
with torch.cuda.stream(side):
    for b in batches(1):
        a.copy_(x[b]), t.copy_(y[b]); opt.zero_grad(); F.cross_entropy(net(a), t).backward(); opt.step()
torch.cuda.current_stream().wait_stream(side)
graph = torch.cuda.CUDAGraph()
opt.zero_grad()
with torch.cuda.graph(graph):
    loss = F.cross_entropy(net(a), t); loss.backward(); opt.step()
for b in batches(8):
    a.copy_(x[b]), t.copy_(y[b]); graph.replay()
print(loss.item())
""",
    "graphed-callable": SAME
    + """
net = torch.cuda.make_graphed_callables(
    nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)).to(device), (x[:32].clone(),))
opt = torch.optim.SGD(net.parameters(), 0.1)
for b in batches(8):
    opt.zero_grad(); loss = F.cross_entropy(net(x[b]), y[b]); loss.backward(); opt.step()
print(loss.item())
""",
}
LOOP = (
    SAME
    + """
for b in batches(5):
    opt.zero_grad()
    loss = F.cross_entropy(net(x[b]), y[b])
    loss.backward()
    opt.step()
"""
)
SICK = {
    "WIR001": LOOP.replace("    opt.zero_grad()\n", ""),
    "WIR003": "net = Net().to(device)\nopt = torch.optim.SGD(net.head.parameters(), 0.1)\n" + LOOP,
    "WIR006": LOOP.replace("net(x[b])", "net.head(net.features(x[b]).detach().flatten(1))"),
    "MOD001": EPOCHS.replace("    net.train()\n", ""),
    "LOS001": LOOP.replace("net(x[b])", "net(x[b]).softmax(1)"),
    "SHP001": SAME
    + """
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)).to(device)
opt = torch.optim.Adam(net.parameters(), 1e-3)
for b in batches(8):
    opt.zero_grad(); F.mse_loss(net(x[b]), x[b].flatten(1).sum(1) / 8).backward(); opt.step()
""",
    "INI001": "for p in net.head.parameters(): nn.init.constant_(p, 0.01)\n" + LOOP,
    "NUM001": LOOP.replace(
        "loss = F.cross_entropy(net(x[b]), y[b])",
        "p = net(x[b]).mul(60).softmax(1)[range(32), y[b]]; loss = -(p * 1e-20).log().mean()",
    ),
    "DAT001": LOOP.replace("x, y = x", "x, y = 500 + 80 * x").replace(
        "\ndef batches",
        """
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)).to(device)
opt = torch.optim.SGD(net.parameters(), 0.01)
def batches""",
    ),
    "EVA002": "total = 0\n" + LOOP.replace("    loss.backward()\n", "    loss.backward(); total = total + loss\n"),
    "OPT001": "opt = torch.optim.SGD(net.parameters(), 30.0)\n" + LOOP,
    "DST002": "scaler = torch.amp.GradScaler(device.type, init_scale=1024.0)\n"
    + LOOP.replace(
        "    loss.backward()\n", "    scaler.scale(loss).backward(); nn.utils.clip_grad_norm_(net.parameters(), 1.0)\n"
    ).replace("    opt.step()", "    scaler.step(opt); scaler.update()"),
}


def script(folder: Path, body: str, device: str) -> Path:
    path = folder / "train.py"
    path.write_text(HEAD.replace("DEVICE", device) + body)
    return path


def report_of(path: Path) -> tuple[int, dict[str, Any]]:
    target = path.with_name("report.json")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--json", str(target), str(path)])
    return int(ended.value.code or 0), json.loads(target.read_text())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_is_bit_identical_and_silent(
    name: str, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if device == "cpu" and name in GPU_ONLY:
        pytest.skip("what the script uses exists on a GPU only")
    path = script(tmp_path, HEALTHY[name], device)
    plain: dict[str, Any] = {"__name__": "__main__"}
    plain_run(path, plain)
    expected, said = device_fingerprint(plain), capsys.readouterr().out
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    session = Session(budget=1.0)
    outcome = launch(Target(str(path)), session, lambda outcome: None)
    assert outcome.ending == "finished", outcome.error
    assert capsys.readouterr().out == said
    assert device_fingerprint(outcome.names) == expected
    monkeypatch.delenv("TORCHCLINIC_STRICT")
    code, report = report_of(path)
    assert [(f["code"], f["message"]) for f in report["findings"] if f["severity"] != "info"] == []
    assert code == 0


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("code", SICK)
def test_a_fault_is_named_first(code: str, device: str, tmp_path: Path) -> None:
    _, report = report_of(script(tmp_path, SICK[code], device))
    found = [f["code"] for f in report["findings"] if f["severity"] != "info"]
    assert found[:1] == [code], report["findings"]


@pytest.mark.parametrize("device", DEVICES)
def test_the_finding_has_the_same_numbers_on_every_device(device: str, tmp_path: Path) -> None:
    path = script(tmp_path, SICK["LOS001"], device)
    (finding,) = report_of(path)[1]["findings"]
    assert finding["evidence"]["row_sum"] == pytest.approx(1, abs=1e-5)
    assert finding["evidence"]["loss_floor"] == pytest.approx(0.7437, abs=1e-4)


def device_fingerprint(names: dict[str, Any]) -> str:
    """Of what lies on a GPU as well, its random stream included; graphs and loaders hold no numbers of their own."""
    stream = torch.cuda.get_rng_state().sum().item() if torch.cuda.is_initialized() else 0
    return fingerprint(on_cpu(names)) + str(stream)


def on_cpu(names: dict[str, Any]) -> dict[str, Any]:
    return {name: value.detach().cpu() if isinstance(value, torch.Tensor) else value for name, value in names.items()}
