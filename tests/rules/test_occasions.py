"""Fine, does not apply, could not be checked: what is said of a rule depends on what the run offered it."""

from pathlib import Path

import pytest

from rules.when_fine import HEALTHY
from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import Verdict, judge
from torchclinic.rules.occasions import OCCASIONS
from torchclinic.rules.rule import discover
from torchclinic.rules.specimens import CLASSIFIER, REGRESSION, changed
from torchclinic.running.launcher import Target, launch

NEEDS = {module.RULE.code: module.RULE.needs for module in discover()}
RANKS = ("several processes", "a distributed sampler")  # scripts of several processes are held against it elsewhere


def judged(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Verdict:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(folder)
    (folder / "train.py").write_text(script)
    session = Session()
    launch(Target("train.py"), session, lambda outcome: None)
    return judge(collect(session))


def test_each_need_has_a_name_and_each_name_is_needed() -> None:
    assert {need for needs in NEEDS.values() for need in needs} == set(OCCASIONS)


@pytest.mark.parametrize("code", [c for c, needs in NEEDS.items() if needs and not {*RANKS} & {*needs}])
def test_a_healthy_twin_offers_what_its_rule_needs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = judged(HEALTHY[code], tmp_path, monkeypatch)
    assert code not in [item.code for item in verdict.not_applicable]


PLAIN = {
    "loader workers", "weighted labels", "tokens for targets", "an evaluation",
    "two modes", "batch statistics", "a padding mask",
    "loaded weights", "a schedule", "clipping", "weight decay", "a target network", *RANKS, "a gradient scaler",
}  # fmt: skip
CLASSES = {"binary cross-entropy", "a log-probability loss", "numbers for targets"}
NUMBERS = {"cross-entropy", "binary cross-entropy", "a log-probability loss", "class labels", "rectifiers"}


@pytest.mark.parametrize(
    ("script", "absent"), [(CLASSIFIER, PLAIN | CLASSES), (REGRESSION, PLAIN | NUMBERS)], ids=["classes", "numbers"]
)
def test_a_plain_script_offers_what_it_holds_and_nothing_else(
    script: str, absent: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {item.code: item.reason for item in judged(script, tmp_path, monkeypatch).not_applicable}
    expected = {c: [OCCASIONS[need].absent for need in needs if need in absent] for c, needs in NEEDS.items()}
    assert {code for code, reasons in expected.items() if reasons} == set(said)
    assert all(reason in expected[code] for code, reason in said.items())


UNKNOWN = changed(REGRESSION, ("nn.functional.mse_loss(model(xb), yb)", "torch.linalg.svdvals(model(xb) - yb).sum()"))


def test_a_loss_that_is_not_understood_leaves_it_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = judged(UNKNOWN, tmp_path, monkeypatch)
    open_ = {item.code for item in verdict.not_checked}
    assert {"LOS001", "LOS002", "DAT003", "DAT009", "LRN001"} <= open_
    assert not open_ & {*verdict.checked}


def test_nothing_applies_where_nothing_was_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = judged("import torch\nmodel = torch.nn.Linear(2, 2)\nprint(model(torch.ones(3, 2)).shape)\n", tmp_path, monkeypatch)
    said = {item.reason for item in verdict.not_applicable}
    assert "nothing was trained through autograd" in said
    assert verdict.not_checked == ()
    assert set(verdict.checked) == {"EVA001", "SHP006", "SHP007"}
