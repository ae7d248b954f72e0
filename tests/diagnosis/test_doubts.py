"""A run without findings is called fine only if nothing speaks against it."""

import math
from pathlib import Path

import pytest

from rules.test_when_fine_learning import NOISE
from rules.when_fine import SICK
from torchclinic.diagnosis.diagnose import diagnose
from torchclinic.diagnosis.doubts import doubt
from torchclinic.observe.records import Agreement, BackwardPass, CarryOver, Learning, LossDirection, OptimizerRecord, RunRecord
from torchclinic.observe.session import Session
from torchclinic.running.launcher import Target, launch

ADAM = OptimizerRecord(0, "Adam", "a.py:1", 2, 100, "", 0, 0.1, 0.1, 0.1, 0.0, 0)
ERROR = BackwardPass(0, "a.py:3", "a.py:2", "cross_entropy", False, (), 1.0, 2, 0)


def run(values: list[float], *records: object) -> RunRecord:
    return RunRecord([ADAM, *records], steps=len(values), backwards=len(values), losses_seen=list(enumerate(values)))


def falling(steps: int = 100) -> list[float]:
    return [2.0 - step / steps for step in range(steps)]


def test_a_loss_that_falls_raises_no_doubt() -> None:
    assert doubt(run(falling())) == ""
    assert doubt(run([1.0] * 49)) == ""  # too short to tell


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([*falling(), math.nan], "The last loss is nan."),
        ([-(2.0**step) for step in range(60)], "it has no lower bound"),
        ([1.0] * 60, "whether it is meant to is not known"),
    ],
)
def test_a_curve_may_speak_against_the_run(values: list[float], words: str) -> None:
    assert words in doubt(run(values))


def test_a_measure_of_errors_is_meant_to_fall() -> None:
    assert doubt(run([1.0] * 60, ERROR)) == "The loss did not fall (1 → 1)."


def test_the_best_constant_answer_is_the_least_that_a_run_reaches() -> None:
    direction = LossDirection("cross_entropy", "a.py:2", "a.py:2", [0], [2.0], [2.0], 1.1)
    learning = Learning("a.py:2", "cross_entropy", 3, constant=1.1)
    assert "best constant answer has 1.1" in doubt(run([2 - step / 100 for step in range(100)], direction, learning))
    assert doubt(run([2 - step / 60 for step in range(100)], direction, learning)) == ""


@pytest.mark.parametrize(("hits", "words"), [(110.0, "no better than chance"), (160.0, "")])
def test_an_evaluation_at_chance_is_told(hits: float, words: str) -> None:
    unseen = Agreement(200.0, hits, 100.0)
    carried = CarryOver("Net", "a.py:9", 99, Agreement(64.0, 64.0, 32.0), unseen)
    said = doubt(run(falling(), carried))
    assert words in said
    assert bool(said) == bool(words)


def summary(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    (folder / "train.py").write_text(script)
    session = Session()
    launch(Target("train.py"), session, lambda outcome: None)
    return diagnose(session).report("train.py").summary


def test_nothing_learnt_is_never_called_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = summary(SICK["LRN001"], tmp_path, monkeypatch)
    assert said.startswith("The run has learnt nothing, and no cause could be established")
    assert "No cause was found, yet the run may have failed" in summary(NOISE, tmp_path, monkeypatch)
