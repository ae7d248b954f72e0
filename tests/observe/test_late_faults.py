"""Faults that begin when nothing is observed in full, or that hide behind an operation."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.rules.specimens import CLASSIFIER, changed
from torchclinic.running.launcher import Target, launch

EPOCHS = """
import torch
from torch import nn
torch.manual_seed(0)
centres = torch.randn(3, 8)
def batch(rows):
    y = torch.randint(0, 3, (rows,))
    return centres[y] + torch.randn(rows, 8), y
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 3))
optimizer = torch.optim.Adam(model.parameters(), 0.003)
model.train()
for epoch in range(4):
    BEGIN
    for _ in range(50):
        x, y = batch(16)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = sum((model(x).argmax(1) == y).float().mean() for x, y in [batch(50) for _ in range(5)]) / 5
"""


def found(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(script)
    session = Session(budget=0.0)
    launch(Target("train.py"), session, lambda outcome: None)
    return [(finding.code, finding.step) for finding in judge(collect(session)).findings]


def test_training_that_stays_in_eval_mode_after_the_first_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(EPOCHS.replace("BEGIN", "pass"), tmp_path, monkeypatch) == [("MOD001", 50)]
    assert found(EPOCHS.replace("BEGIN", "model.train()"), tmp_path, monkeypatch) == []


def test_a_loss_that_is_made_anew_and_summed_has_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anew = "    loss = torch.tensor([loss.item(), 0.5], requires_grad=True).sum()\n    loss.backward()"
    assert found(changed(CLASSIFIER, ("    loss.backward()", anew)), tmp_path, monkeypatch) == [("WIR007", 0)]


WARM = """
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), 0.2)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min(1.0, (n + 1) / 100))
for epoch in range(10):
    for _ in range(40):
        x = torch.rand(32, 2)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), x.sum(1, keepdim=True).sin()).backward()
        optimizer.step()
        BATCH
    EPOCH
"""
WARM_STEP = "schedule.step()"


def test_a_warm_up_in_batches_that_is_advanced_each_epoch_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = WARM.replace("BATCH", "pass").replace("EPOCH", WARM_STEP)
    assert found(late, tmp_path, monkeypatch) == [("OPT007", 400)]
    assert found(WARM.replace("BATCH", WARM_STEP).replace("EPOCH", ""), tmp_path, monkeypatch) == []
    assert found(late + "    if epoch == 5: raise KeyboardInterrupt\n", tmp_path, monkeypatch) == []


OWN_LAYERS = """
import torch
from torch import nn
torch.manual_seed(0)
class Mix(nn.Module):
    def __init__(self, a, b): super().__init__(); self.weight = nn.Parameter(torch.randn(a, b) / a**0.5)
    def forward(self, x): return x @ self.weight
model = nn.Sequential(Mix(16, 32), nn.ReLU(), nn.Dropout(0.3), Mix(32, 4))
x, y = torch.randn(80, 16), torch.arange(80) % 4
optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9)
for _ in range(150):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""


def test_a_rate_that_is_too_low_for_layers_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(OWN_LAYERS.replace("RATE", "1e-5"), tmp_path, monkeypatch) == [("OPT002", 150)]
    assert found(OWN_LAYERS.replace("RATE", "0.1"), tmp_path, monkeypatch) == []


RISING = """
import torch
from torch import nn
torch.manual_seed(0)
body, head, other = nn.Sequential(nn.Linear(8, 32), nn.Tanh()), nn.Linear(32, 3), nn.Linear(32, 8)
optimizer = torch.optim.Adam([*body.parameters(), *head.parameters(), *other.parameters()], 0.003)
for step in range(150):
    y = torch.randint(0, 3, (16,))
    x = torch.randn(16, 8) + y[:, None]
    hidden = body(x)
    loss = nn.functional.cross_entropy(head(hidden), y) + FACTOR * nn.functional.mse_loss(other(hidden), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_a_gradient_that_is_zero_at_first_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(RISING.replace("FACTOR", "0"), tmp_path, monkeypatch) == [("GRA003", 0)]
    assert found(RISING.replace("FACTOR", "max(0, step / 50 - 1)"), tmp_path, monkeypatch) == []


PICTURES = """
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.02)
def pictures(rows):
    y = torch.randint(0, 3, (rows,))
    return torch.randn(rows, 1, 8, 8) * (1 + y[:, None, None, None]), y
for step in range(30):
    x, y = pictures(ROWS)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
model.MODE()
with torch.no_grad():
    x, y = pictures(60)
    print((model(x).argmax(1) == y).float().mean())
"""


def test_batch_norm_over_one_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def codes(rows: str, mode: str) -> list[str]:
        return [code for code, _ in found(PICTURES.replace("ROWS", rows).replace("MODE", mode), tmp_path, monkeypatch)]

    assert codes("1", "eval") == ["MOD004"]
    assert codes("16", "eval") == []
    assert "MOD004" not in codes("1", "train")


PAIR = """
import torch
from torch import nn
torch.manual_seed(0)
G = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
D = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
opt_g, opt_d = torch.optim.Adam(G.parameters(), 1e-3), torch.optim.Adam(D.parameters(), 1e-3)
bce = nn.BCEWithLogitsLoss()
for step in range(40):
    real, fake = torch.randn(32, 2) + 2, G(torch.randn(32, 4))
    BEFORE
    (bce(D(real), torch.ones(32, 1)) + bce(D(fake.detach()), torch.zeros(32, 1))).backward()
    opt_d.step()
    AFTER
    opt_g.zero_grad()
    bce(D(fake), torch.ones(32, 1)).backward()
    opt_g.step()
"""


def test_what_another_loss_leaves_on_an_optimizers_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = PAIR.replace("BEFORE", "pass").replace("AFTER", "opt_d.zero_grad()")
    assert [code for code, _ in found(late, tmp_path, monkeypatch)] == ["WIR001"]
    assert found(PAIR.replace("BEFORE", "opt_d.zero_grad()").replace("AFTER", "pass"), tmp_path, monkeypatch) == []


ADAM = """
import torch
from torch import nn
torch.manual_seed(0)
centres = torch.randn(5, 20)
model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
optimizer = torch.optim.Adam(model.parameters(), RATE)
for _ in range(120):
    y = torch.randint(0, 5, (32,))
    x = centres[y] + torch.randn(32, 20)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""


def test_the_first_step_of_adam_is_as_long_as_its_rate_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for rate, first in (("1.0", ["OPT001"]), ("0.5", ["OPT001"]), ("3e-3", []), ("1e-6", ["OPT002"])):
        assert [code for code, _ in found(ADAM.replace("RATE", rate), tmp_path, monkeypatch)][:1] == first


BOTH = """
import torch
from torch import nn
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    def forward(self, x): return self.b(self.a(x).relu())
model = Net()
first = torch.optim.SGD(model.a.parameters(), 0.05)
second = torch.optim.SGD(model.b[0].parameters(), 0.05)
for _ in range(12):
    x, y = torch.randn(16, 4), torch.randint(0, 3, (16,))
    first.zero_grad(); second.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    first.step(); second.step()
"""


def test_of_several_optimizers_the_one_is_named_that_holds_the_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(BOTH)
    session = Session()
    launch(Target("train.py"), session, lambda outcome: None)
    [finding] = [finding for finding in judge(collect(session)).findings if finding.code == "WIR003"]
    assert "second = " in BOTH.splitlines()[int(finding.line.rpartition(":")[2]) - 1]


STAGES = """
import torch
from torch import nn
from torch.optim import lr_scheduler as schedules
torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.01)
warm = schedules.LinearLR(optimizer, 0.1, total_iters=3)
fall = schedules.ExponentialLR(optimizer, 0.99)
both = schedules.SequentialLR(optimizer, [warm, fall], milestones=[40])
for step in range(24):
    x = torch.randn(8, 4)
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), x.sum(1, keepdim=True)).backward()
    optimizer.step()
    ADVANCE
"""


def test_a_schedule_is_advanced_by_the_one_that_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(STAGES.replace("ADVANCE", "both.step()"), tmp_path, monkeypatch) == []
    assert found(STAGES.replace("ADVANCE", "fall.step()"), tmp_path, monkeypatch) == []  # one was chosen
    assert found(STAGES.replace("ADVANCE", "pass"), tmp_path, monkeypatch) == [("OPT008", 24)] * 2
    assert found(STAGES.replace("ADVANCE", "if step == 9: raise KeyboardInterrupt"), tmp_path, monkeypatch) == []


HEADS = """
import torch
from torch import nn
torch.manual_seed(0)
body, one, two = nn.Sequential(nn.Linear(4, 16), nn.Tanh()), nn.Linear(16, 1), nn.Linear(16, 2)
optimizers = [torch.optim.Adam(part.parameters(), 1e-3) for part in (body, one, two)]
for step in range(40):
    x = torch.randn(32, 4)
    hidden = body(x)
    nn.functional.mse_loss(one(hidden), x.sum(1, keepdim=True)).backward(retain_graph=True)
    optimizers[1].step()
    nn.functional.mse_loss(two(hidden), x[:, :2]).backward()
    optimizers[2].step()
    optimizers[0].step()
    for optimizer in optimizers: optimizer.zero_grad()
"""


def test_an_encoder_may_collect_the_gradients_of_several_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(HEADS, tmp_path, monkeypatch) == []


LABELS = """
import torch
from torch import nn
torch.manual_seed(0)
W = torch.randn(16, 6)
model = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 6), LAST)
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
for _ in range(60):
    x = torch.randn(64, 16)
    y = LABEL
    optimizer.zero_grad()
    nn.functional.binary_cross_entropy(model(x), y).backward()
    optimizer.step()
"""


def test_probabilities_that_sum_to_one_for_labels_that_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def codes(last: str, label: str) -> list[str]:
        script = LABELS.replace("LAST", last).replace("LABEL", label)
        return [code for code, _ in found(script, tmp_path, monkeypatch)]

    one_of_six = "nn.functional.one_hot((x @ W).argmax(1), 6).float()"
    assert codes("nn.Softmax(dim=1)", "(x @ W > 0).float()") == ["LOS007"]
    assert codes("nn.Sigmoid()", "(x @ W > 0).float()") == []
    assert codes("nn.Softmax(dim=1)", one_of_six) == []


PREPARED = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(80, 4)
means = MADE
for row in range(80):
    WRITE
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.01)
for start in range(0, 80, 8):
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x[start : start + 8]), means[start : start + 8, :1] + x[start : start + 8, :1]).backward()
    optimizer.step()
"""


def test_writes_into_shared_memory_while_the_data_are_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def codes(made: str, write: str = "means[row] = x[row].abs()") -> list[str]:
        script = PREPARED.replace("MADE", made).replace("WRITE", write)
        return [code for code, _ in found(script, tmp_path, monkeypatch)]

    assert codes("torch.zeros(1, 4).expand(80, 4)") == ["SHP005"]
    assert codes("torch.zeros(4).broadcast_to(80, 4)", "means[row : row + 1, 2] = 1.0") == ["SHP005"]
    assert codes("torch.zeros(1, 4).expand(80, 4).clone()") == []
    assert codes("torch.zeros(1, 4).repeat(80, 1)") == []
    assert codes("torch.zeros(1, 80, 4).expand(1, 80, 4)[0]") == []
    assert codes("torch.zeros(1, 4).expand(80, 4)", "means.zero_()") == []
    assert codes("torch.zeros(1, 4).expand(80, 4)", "_ = means[row] + 1") == []


CRITIC = """
import torch, warnings
from torch import nn
warnings.simplefilter("ignore")
torch.manual_seed(0)
critic, slow = (nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1)) for _ in range(2))
optimizer = torch.optim.Adam(critic.parameters(), 0.003)
for step in range(60):
    state = torch.randn(32, 3)
    reward = state.sum(1) + 0.1 * torch.randn(32)
    with torch.no_grad():
        target = SHAPED + 0.5 * slow(torch.randn(32, 3))
        for p, q in zip(critic.parameters(), slow.parameters()): q.lerp_(p, 0.05)
    optimizer.zero_grad()
    nn.functional.mse_loss(critic(state), target).backward()
    optimizer.step()
"""


def test_a_target_that_became_a_square_is_broadcast_against_each_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ("SHP001", 0) in found(CRITIC.replace("SHAPED", "reward"), tmp_path, monkeypatch)
    assert found(CRITIC.replace("SHAPED", "reward[:, None]"), tmp_path, monkeypatch) == []
