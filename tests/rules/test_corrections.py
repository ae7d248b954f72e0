"""The corrected line of a finding: put in the place of the line it names, it makes the finding go away."""

from dataclasses import replace
from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import with_correction
from torchclinic.rules.judging import judge
from torchclinic.rules.rule import RuleModule, corrections, discover
from torchclinic.rules.specimens import CLASSIFIER, changed
from torchclinic.running.launcher import Target, launch

CORRECTED = [module for module in discover() if module.RULE.code in corrections()]


def diagnose(path: Path, script: str) -> list[Finding]:
    path.write_text(script)
    session = Session()
    launch(Target(str(path)), session, lambda outcome: None)
    return [with_correction(finding) for finding in judge(collect(session)).findings]


@pytest.mark.parametrize("module", CORRECTED, ids=lambda module: module.RULE.code)
def test_the_corrected_line_of_the_specimen_heals_it(
    module: RuleModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    script = module.sick().script
    code = module.RULE.code
    found = next(finding for finding in diagnose(tmp_path / "sick.py", script) if finding.code == code)
    assert found.corrected, f"no corrected line for {found.line}"
    lines = script.splitlines()
    number = int(found.line.rpartition(":")[2])
    lines[number - 1 : number] = found.corrected.splitlines()
    healed = "import copy\n" + "\n".join(lines)
    assert code not in [finding.code for finding in diagnose(tmp_path / "healed.py", healed)]


def written(tmp_path: Path, code: str, text: str, **facts: object) -> str:
    path = tmp_path / "script.py"
    path.write_text(text)
    evidence = {key: str(value) for key, value in facts.items()}
    finding = Finding(code, "name", "error", "message", line=f"{path}:{len(text.splitlines())}", evidence=evidence)
    return with_correction(finding).corrected


@pytest.mark.parametrize(
    ("code", "line", "corrected"),
    [
        ("LOS001", "loss = F.cross_entropy(F.softmax(net(x), dim=1), y)", "loss = F.cross_entropy(net(x), y)"),
        ("LOS001", "probs = net(x).softmax(-1)", "probs = net(x)"),
        ("LOS001", "out = self.softmax(h)", "out = h"),
        ("LOS001", "net = nn.Sequential(a, nn.Softmax(dim=1))", "net = nn.Sequential(a, nn.Identity())"),
        ("LOS002", "self.act = Sigmoid()", "self.act = torch.nn.Identity()"),
        ("LOS003", "s = Sequential(a, nn.ReLU(), b, nn.ReLU())", "s = Sequential(a, nn.ReLU(), b, nn.Identity())"),
        ("LOS002", "p = torch.sigmoid(z)", "p = z"),
        ("LOS006", "loss = criterion(y, net(x))", "loss = criterion(net(x), y)"),
        ("WIR001", "    optimizer.step()", "    optimizer.step()\n    optimizer.zero_grad()"),
        ("SHP005", "mask = torch.ones(1, 4).expand(8, 4)", "mask = torch.ones(1, 4).expand(8, 4).clone()"),
        ("WIR006", "z = q.sample((5,))", "z = q.rsample((5,))"),
        ("WIR006", "z = torch.normal(mu, std)", "z = (mu + std * torch.randn_like(mu))"),
        ("WIR008", "p = p - lr * (v + d)", "p -= lr * (v + d)"),
        ("OPT001", "opt = Adam(net.parameters(), lr=0.3)", "opt = Adam(net.parameters(), lr=0.03)"),
        ("EVA001", "best = net.state_dict()", "best = copy.deepcopy(net.state_dict())"),
        ("EVA002", "total += loss", "total += loss.item()"),
        ("EVA002", "history.append(loss)", "history.append(loss.item())"),
        ("SHP001", "loss = F.mse_loss(pred, y)", "loss = F.mse_loss(pred.squeeze(-1), y)"),
        ("INI002", "nn.init.zeros_(layer.weight)", "nn.init.kaiming_normal_(layer.weight)"),
        ("LOS001", "loss = loss_fn(é_net(x).softmax(1), y)", "loss = loss_fn(é_net(x), y)"),
    ],
)
def test_lines_as_people_write_them(tmp_path: Path, code: str, line: str, corrected: str) -> None:
    text = f"if True:\n{line}" if line.startswith(" ") else line
    assert written(tmp_path, code, text, left="(8, 1)", right="(8,)", cut="sample") == corrected


@pytest.mark.parametrize(
    ("code", "line"),
    [("LOS001", "loss = step(batch)"), ("WIR001", "trainer.fit()"), ("OPT001", "opt = Adam(p, lr=rate)"), ("NUM001", "x = 1")],
)
def test_where_the_remedy_is_not_on_that_line_none_is_given(tmp_path: Path, code: str, line: str) -> None:
    assert written(tmp_path, code, line) == ""


def test_a_file_that_is_gone_or_is_not_python_gives_none(tmp_path: Path) -> None:
    finding = Finding("LOS001", "n", "error", "m", line=f"{tmp_path}/gone.py:3")
    assert with_correction(finding).corrected == ""
    (tmp_path / "torn.py").write_text("def (")
    assert with_correction(replace(finding, line=f"{tmp_path}/torn.py:1")).corrected == ""
    assert with_correction(replace(finding, line="")).corrected == ""


def test_the_report_shows_the_corrected_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from torchclinic.cli.main import main

    path = tmp_path / "train.py"
    path.write_text(changed(CLASSIFIER, ("model(xb), yb", "model(xb).softmax(1), yb")))
    with pytest.raises(SystemExit):
        main(["run", str(path)])
    assert "loss = nn.functional.cross_entropy(model(xb), yb)" in capfd.readouterr().err
