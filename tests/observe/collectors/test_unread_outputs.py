"""A head that nothing reads: no cut is named where there is none, whatever evaluation without gradients leaves behind."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

SCRIPT = """
import torch
from torch import nn
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.mean, self.spread = nn.Linear(8, 16), nn.Linear(16, 3), nn.Linear(16, 3)
    def forward(self, x):
        h = self.body(x).relu()
        return FORWARD
model = Net()
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
x = torch.randn(400, 8)
y = x[:, :3].argmax(1)
for epoch in range(6):
    for i in range(0, 320, 32):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[i : i + 32])[0], y[i : i + 32]).backward()
        optimizer.step()
    with torch.no_grad():
        model(x[320:])
"""


@pytest.mark.parametrize(
    ("forward", "cut"), [("self.mean(h), self.spread(h)", ""), ("self.mean(h), torch.no_grad()(self.spread)(h)", "no_grad")]
)
def test_no_grad_is_named_where_training_runs_under_it(
    forward: str, cut: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT.replace("FORWARD", forward))
    session = Session()
    launch(Target("train.py"), session, lambda outcome: None)
    [finding] = judge(collect(session), select=["WIR006"]).findings
    assert finding.evidence["cut"] == cut
