"""What the rules about optimizers and graphs let pass: a case for each clause of their *When this is fine*."""

from pathlib import Path

import pytest

from rules.when_fine import HEALTHY, SICK, Case, check, healed, pair, params
from torchclinic.rules.specimens import CLASSIFIER, changed, trained

STEP = "    optimizer.step()\n"
ACCUMULATED = changed(
    HEALTHY["WIR001"],
    ("    optimizer.zero_grad()\n", ""),
    (STEP, "    if start % 16:\n        optimizer.step()\n        optimizer.zero_grad()\n"),
)
SOMETIMES = changed(HEALTHY["WIR001"], ("    optimizer.zero_grad()\n", "    if start % 16:\n        optimizer.zero_grad()\n"))
LOADED = "encoder.load_state_dict({k: v + 0.1 for k, v in encoder.state_dict().items()})\n"
EARLIER = """first = torch.optim.SGD(encoder.parameters(), lr=0.05)
for _ in range(3):
    first.zero_grad()
    encoder(x).square().mean().backward()
    first.step()
"""
BY_HAND = """    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter -= 0.05 * parameter.grad
            parameter.grad = None
"""
PHASES = changed(
    SICK["WIR004"], ("\nfor start", "\nkept, optimizer = optimizer, torch.optim.SGD(model.parameters(), lr=0.05)\nfor start")
)
SALIENT = changed(
    CLASSIFIER,
    ("optimizer = ", "x.requires_grad_()\noptimizer = "),
    ("x[start : start + 8], y[start : start + 8]", "x, y"),
    (STEP, STEP + "    salience, x.grad = x.grad.abs(), None\n"),
)
SCALED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(4, 3)
        self.scale = torch.ones(4, requires_grad=True)

    def forward(self, x):
        return self.last(self.scale * x)
"""
OF_ITS_OWN = trained(SCALED)
UPDATED = changed(
    OF_ITS_OWN,
    (STEP, STEP + "    with torch.no_grad():\n        model.scale -= 0.05 * model.scale.grad\n    model.scale.grad = None\n"),
)
GIVEN = changed(OF_ITS_OWN, ("(model.parameters(), ", "([*model.parameters(), model.scale], "))
RESTS = """
import torch
from torch import nn

torch.manual_seed(0)
body, other, head = nn.Linear(4, 8), nn.Linear(4, 8), nn.Linear(8, 3)
optimizer = torch.optim.SGD([*body.parameters(), *other.parameters(), *head.parameters()], lr=0.05)
for step in range(40):
    x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
    extra = other(x)
    extra = extra if step >= 20 else extra.detach()
    optimizer.zero_grad()
    nn.functional.cross_entropy(head(body(x) + extra), y).backward()
    optimizer.step()
"""
GAME = """
import torch
from torch import nn

torch.manual_seed(0)
make, judge = nn.Linear(4, 4), nn.Linear(4, 1)
players = [torch.optim.SGD(make.parameters(), 0.01), torch.optim.SGD(judge.parameters(), 0.01)]
bce = nn.functional.binary_cross_entropy_with_logits
for _ in range(10):
    real, fake = torch.randn(16, 4) + 1, make(torch.randn(16, 4))
    players[1].zero_grad()
    (bce(judge(real), torch.ones(16, 1)) + bce(judge(fake.detach()), torch.zeros(16, 1))).backward()
    players[1].step()
    players[0].zero_grad()
    bce(judge(fake), torch.ones(16, 1)).backward()
    players[0].step()
"""
CHOICE = trained("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.deep = False

    def forward(self, x):
        x = self.first(x).relu()
        return self.last(self.second(x) if self.deep else x)
""")
SALIENCY = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).requires_grad_(False)
x = torch.randn(8, 4, requires_grad=True)
for _ in range(6):
    x.grad = None
    model(x)[:, 0].sum().backward()
"""
WARM = changed(
    CLASSIFIER,
    (
        "for start in range(0, 80, 8)",
        "warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: float(n >= 15))\nfor start in 3 * list(range(0, 80, 8))",
    ),
    (STEP, STEP + "    warm.step()\n"),
)
INFLUENCE = changed(
    CLASSIFIER,
    (STEP, ""),
    ("    optimizer.zero_grad()\n", "    model.zero_grad()\n"),
    ("optimizer = torch.optim.SGD(model.parameters(), lr=0.05)\n", ""),
)
ALIKE = trained("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)
        self.experts = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])

    def forward(self, x):
        return self.last(self.experts[0](self.first(x).relu()))
""")
ADVERSARIAL = changed(
    CLASSIFIER,
    (
        "    optimizer.zero_grad()\n",
        """    xb = xb.clone().requires_grad_()
    nn.functional.cross_entropy(model(xb), yb).backward()
    xb = (xb + 0.1 * xb.grad.sign()).detach()
    optimizer.zero_grad()
""",
    ),
)

CASES = [
    pair("WIR001", "Accumulation: several backwards, one step, one clear", ACCUMULATED, ("        optimizer.zero_grad()\n", "")),
    pair("WIR001", "Clearing at some steps only is WIR010", SOMETIMES, ("if start % 16", "if start < 0")),
    healed(
        "WIR002",
        "A clear before `backward`",
        ("loss.backward()\n    optimizer.zero_grad()", "optimizer.zero_grad()\n    loss.backward()"),
    ),
    healed("WIR003", "A loaded (pretrained) part", ("optimizer = ", LOADED + "optimizer = "), answer="info"),
    healed("WIR003", "one that runs in eval mode", ("optimizer = ", "encoder.eval()\noptimizer = "), answer="info"),
    healed("WIR003", "reported as information", ("optimizer = ", LOADED + "optimizer = "), answer="info"),
    healed("WIR003", "Parameters stepped by an earlier optimizer", ("optimizer = ", EARLIER + "optimizer = ")),
    healed("WIR003", "changed by hand in the script", (STEP, STEP + BY_HAND)),
    Case("WIR003", "parameters of a stale optimizer are WIR004", SICK["WIR004"]),
    Case("WIR003", "parameters of a module hidden in a plain list are WIR005", SICK["WIR005"]),
    pair(
        "WIR004",
        "An optimizer kept for a phase that is over",
        PHASES,
        ("SGD(model.parameters(), lr=0.05)\nfor", "SGD(model[:1].parameters(), lr=0.05)\nfor"),
    ),
    Case("WIR005", "Inputs that require grad", SALIENT),
    pair(
        "WIR005",
        "tensors that the script updates by hand",
        UPDATED,
        ("        model.scale -= 0.05 * model.scale.grad\n", "        pass\n"),
    ),
    pair("WIR005", "given to an optimizer themselves", GIVEN, (", model.scale]", "]")),
    healed("WIR006", "A block that is frozen", ("model = Net()", "model = Net()\nmodel.encoder.requires_grad_(False)")),
    healed("WIR006", "belongs to no optimizer", ("SGD(model.parameters()", "SGD(model.head.parameters()")),
    pair("WIR006", "rests at first and gets gradients later", RESTS, ("step >= 20", "step >= 90")),
    pair(
        "WIR006",
        "A generator under `detach` in the discriminator's step",
        GAME,
        ("bce(judge(fake), ", "bce(judge(fake.detach()), "),
    ),
    pair(
        "WIR006",
        "A unit that is skipped by choice never runs",
        CHOICE,
        ("self.second(x) if self.deep else x", "x + self.second(x).detach()"),
    ),
    pair(
        "WIR007",
        "A backward for the gradient of an input",
        SALIENCY,
        ("x = torch.randn", "optimizer = torch.optim.SGD(model.parameters(), lr=0.05)\nx = torch.randn"),
        (".sum().backward()", ".sum().backward()\n    optimizer.step()"),
    ),
    pair("WIR008", "A learning rate of 0 at the beginning of a warm-up", WARM, ("    optimizer.step()\n    warm.step()\n", "")),
    pair(
        "WIR008",
        "gradients that are computed for themselves",
        INFLUENCE,
        ("for start", "optimizer = torch.optim.SGD(model.parameters(), lr=0.05)\nfor start"),
    ),
    pair("WIR009", "One of several alike in a container", ALIKE, ("self.experts[0](self.first(x).relu())", "self.first(x).relu()")),
    healed("WIR009", "frozen modules", ("model = Net()", "model = Net()\nmodel.middle.requires_grad_(False)")),
    healed(
        "WIR009",
        "parts that no optimizer holds",
        ("SGD(model.parameters()", "SGD([*model.first.parameters(), *model.last.parameters()]"),
    ),
    Case("WIR010", "k backwards, one step, one clear", HEALTHY["WIR010"]),
    pair(
        "WIR010",
        "A backward for the gradient of an input",
        ADVERSARIAL,
        (".clone().requires_grad_()", ""),
        ("xb = (xb + 0.1 * xb.grad.sign()).detach()", "xb = xb + 0.1"),
    ),
    Case("WIR010", "one that another\noptimizer uses (GAN)".replace("\n", " "), GAME),
    Case("WIR010", "An optimizer that is never cleared is WIR001", SICK["WIR001"]),
]


@pytest.mark.parametrize("case", params(CASES))
def test_a_clause_lets_its_case_pass(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    check(case, tmp_path, monkeypatch)
