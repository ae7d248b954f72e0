"""What the rules about initialization, activations and gradients let pass: a case for each clause of their *When this is fine*."""

from pathlib import Path

import pytest

from rules.when_fine import HEALTHY, SICK, Case, check, healed, pair, params
from torchclinic.rules.specimens import CLASSIFIER, changed, trained

BIASES = "nn.init.constant_(layers[0].bias, -20.0)"
SOME = changed(SICK["ACT001"], (BIASES, "layers[0].bias.data[:48] = -20.0"))
STEP = "    optimizer.step()\n"
LATE = changed(
    HEALTHY["ACT002"],
    ("for _ in range(24)", "for step in range(40)"),
    (STEP, STEP + "    if step == 12:\n        model[0].weight.data *= 40\n        model[2].weight.data *= 40\n"),
)
OUTPUT = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(40, 64), nn.Tanh(), nn.Linear(64, 4), nn.Tanh())
nn.init.normal_(model[2].weight, std=2.0)
x = torch.randn(64, 40)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(24):
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), x[:, :4].sign()).backward()
    optimizer.step()
"""
ZERO_HEAD = changed(HEALTHY["ACT003"], ("x = torch", "nn.init.zeros_(model[2].weight)\nx = torch"))
CONSTANT = changed(HEALTHY["ACT003"], ("x = torch.randn(32, 6)", "x = torch.ones(32, 6)"))
FROZEN = changed(SICK["GRA001"], ("batch = ", "for part in blocks[:12]:\n    part.requires_grad_(False)\nbatch = "))
RISING = """
import torch
from torch import nn

torch.manual_seed(0)
body, head, other = nn.Sequential(nn.Linear(8, 32), nn.Tanh()), nn.Linear(32, 3), nn.Linear(32, 8)
optimizer = torch.optim.Adam([*body.parameters(), *head.parameters(), *other.parameters()], 0.003)
for step in range(60):
    x, y = torch.randn(16, 8), torch.randint(0, 3, (16,))
    hidden = body(x)
    loss = nn.functional.cross_entropy(head(hidden), y) + max(0, step / 30 - 1) * nn.functional.mse_loss(other(hidden), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
EXPERTS = trained("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.experts = nn.Linear(4, 3), nn.ModuleList(nn.Linear(4, 3) for _ in range(3))
        nn.init.zeros_(self.gate.weight)
        self.gate.bias.data = torch.tensor([1.0, 1.0, -1e4])

    def forward(self, x):
        share = self.gate(x).softmax(1)
        return sum(share[:, i : i + 1] * expert(x) for i, expert in enumerate(self.experts))
""")
ZERO = changed(CLASSIFIER, ("optimizer = ", "nn.init.zeros_(model[2].weight)\noptimizer = "))
ADAPTED = trained("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)
        self.down, self.up = nn.Linear(4, 2, bias=False), nn.Linear(2, 8, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return self.last((self.first(x) + self.up(self.down(x))).relu())
""")
BRANCH = trained("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.gate = nn.Parameter(torch.zeros(1, 8))
        nn.init.zeros_(self.inner.weight)

    def forward(self, x):
        x = self.first(x)
        x = x + self.inner(x).relu() + self.gate * x.tanh()
        return self.last(x)
""")
RESCALED = """
import torch
from torch import nn

torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers, self.last = nn.ModuleList(nn.Linear(64, 64, bias=False) for _ in range(12)), nn.Linear(64, 4)
        for layer in self.layers:
            nn.init.normal_(layer.weight, 0.0, STD)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu()
            x = x / x.norm(dim=1, keepdim=True) * 8
        return self.last(x)

model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
for _ in range(3):
    x, y = torch.randn(64, 64), torch.randint(0, 4, (64,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
DIVISION = "            x = x / x.norm(dim=1, keepdim=True) * 8\n"
NARROW = changed(
    SICK["INI005"],
    ("Linear(64, 64)", "Linear(64, 3)"),
    ("Linear(64, 4)", "Linear(3, 4)"),
    ("nn.init.constant_(layers[2].bias, -10.0)", "layers[2].bias.data[:2] = -10.0"),
)
NEW_HEAD = changed(
    HEALTHY["INI007"],
    ("model.load_state_dict(state)", "model.load_state_dict({k: v for k, v in state.items() if k[0] == '0'}, strict=False)"),
)
OLD_HEAD = changed(
    HEALTHY["INI007"],
    ("model.load_state_dict(state)", "state['9.weight'] = torch.zeros(5, 8)\nmodel.load_state_dict(state, strict=False)"),
)
ADAPTER = """
import torch
from torch import nn

torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)
        self.down, self.up = nn.Linear(4, 2), nn.Linear(2, 8)

    def forward(self, x):
        return self.last((self.first(x) + self.up(self.down(x))).relu())

model = Net()
state = {name: value * 0.9 for name, value in model.state_dict().items() if name[0] in "fl"}
model.load_state_dict(state, strict=False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(6):
    x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""

JOINED = changed(
    SICK["INI006"],
    ("nn.Linear(64, 64, bias=False) for", "nn.Linear(128, 64, bias=False) for"),
    (
        "model = nn.Sequential(*blocks, nn.Linear(64, 4))",
        """
class Joined(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers, self.last = nn.ModuleList(layers), nn.Linear(64, 4)

    def forward(self, x):
        h = x
        for layer in self.layers:
            h = layer(torch.cat([h, x], 1)).relu()
        return self.last(h)


model = Joined()""",
    ),
)

CASES = [
    healed("ACT001", "Sparse by design", ("bias, -20.0", "bias, -2.5")),
    pair("ACT001", "Up to four fifths of a layer", SOME, ("data[:48]", "data[:58]")),
    healed(
        "ACT002",
        "output layers that are sure of their answer",
        ("nn.init.normal_(model[0].weight), nn.init.normal_(model[2].weight)", ""),
    ),
    pair(
        "ACT002",
        "output layers that are sure of their answer",
        OUTPUT,
        ("nn.Linear(64, 4), nn.Tanh())", "nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4))"),
    ),
    pair("ACT002", "saturated from the first steps on", LATE, ("step == 12", "step == 0")),
    pair("ACT003", "While a head that starts at zero still is zero", ZERO_HEAD, ("lr=0.1", "lr=0.0")),
    pair(
        "ACT003",
        "a model that is fed a constant",
        CONSTANT,
        ("torch.ones(32, 6)", "torch.randn(32, 6)"),
        ("nn.Sigmoid()", "nn.Softmax(dim=1)"),
    ),
    pair("GRA001", "Frozen layers", FROZEN, ("blocks[:12]", "blocks[:0]")),
    healed(
        "GRA001", "optimizers that rescale each gradient", ("SGD(model.parameters(), lr=0.1)", "Adam(model.parameters(), lr=0.01)")
    ),
    healed("GRA002", "Large gradients that clipping", ("    pass\n", "    nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n")),
    healed("GRA002", "a rescaling optimizer makes harmless", ("SGD(model", "Adam(model")),
    pair("GRA003", "a term whose factor rises from zero", RISING, ("step / 30 - 1", "step / 30 - 9")),
    Case("GRA003", "An expert that is never chosen", EXPERTS),
    healed("GRA003", "A run that was stopped", (STEP, STEP + "    if i == 5:\n        raise KeyboardInterrupt\n")),
    pair("INI001", "a zero output layer", ZERO, ("nn.init.zeros_(model[2].weight)", "nn.init.ones_(model[2].weight)")),
    pair("INI001", "a zero adapter", ADAPTED, ("nn.init.zeros_(self.up.weight)", "nn.init.ones_(self.up.weight)")),
    pair(
        "INI002",
        "residual branches, adapters, gates and output layers",
        ADAPTED,
        ("nn.init.zeros_(self.up.weight)", "nn.init.zeros_(self.up.weight), nn.init.zeros_(self.down.weight)"),
    ),
    Case("INI002", "residual branches, adapters, gates and output layers", BRANCH),
    pair("INI003", "later layers are rescaled by something", RESCALED.replace("STD", "0.01"), (DIVISION, "")),
    pair("INI004", "later layers are rescaled by something", RESCALED.replace("STD", "1.0"), (DIVISION, "")),
    pair("INI005", "Very narrow layers", NARROW, ("(64, 3)", "(64, 30)"), ("(3, 4)", "(30, 4)"), ("data[:2]", "data[:28]")),
    healed("INI006", "Shallow networks", ("range(24)", "range(6)")),
    healed("INI006", "Layers before a normalization", ("(layer, nn.ReLU())", "(layer, nn.LayerNorm(64), nn.ReLU())")),
    pair(
        "INI006",
        "nor are factors multiplied across a sum or a joining",
        JOINED,
        ("torch.cat([h, x], 1)", "h"),
        ("nn.Linear(128, 64", "nn.Linear(64, 64"),
    ),
    Case("INI007", "A new head whose keys are missing", NEW_HEAD),
    Case("INI007", "unused keys of an old head", OLD_HEAD),
    pair(
        "INI007",
        "adapters that the checkpoint does not know",
        ADAPTER,
        ('items() if name[0] in "fl"}', 'items()}\nstate = {"module." + name: value for name, value in state.items()}'),
    ),
]


@pytest.mark.parametrize("case", params(CASES))
def test_a_clause_lets_its_case_pass(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    check(case, tmp_path, monkeypatch)
