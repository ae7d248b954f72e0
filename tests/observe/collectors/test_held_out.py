"""Which evaluations count as held out: by what the script calls the data, or says where it evaluates them."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge
from torchclinic.rules.specimens import CLASSIFIER
from torchclinic.running.launcher import Target, launch

HELD_OUT = {
    "printed": 'print("test accuracy", (model(x[40:]).argmax(1) == y[40:]).float().mean())',
    "several_lines": 'print(\n        "val",\n        model(x[40:]).argmax(1),\n    )',
    "abbreviated": "x_te = x[40:]\n    model(x_te)",
    "assigned": "val_out = model(x[40:])",
}
NOT_HELD_OUT = {
    "unsaid": "print((model(x[40:]).argmax(1) == y[40:]).float().mean())",
    "training_accuracy": 'print("train accuracy, not test", model(x[40:]).argmax(1))',
    "comment": "model(x[40:])  # as in the test",
    "named_training": 'x_tr = x[40:]\n    print("test", model(x_tr))',
    "shared_function": "def score(inputs):\n        test_out = model(inputs)\n\n    score(x[40:])",
}


def codes(path: Path, statement: str) -> list[str]:
    path.write_text(f"{CLASSIFIER}with torch.no_grad():\n    {statement}\n")
    session = Session()
    outcome = launch(Target(str(path)), session, lambda outcome: None)
    assert outcome.exit_code == 0
    return [finding.code for finding in judge(collect(session), select=["EVA003"]).findings]


@pytest.mark.parametrize("name", HELD_OUT)
def test_rows_said_to_be_held_out_are_looked_up(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert codes(tmp_path / "train.py", HELD_OUT[name]) == ["EVA003"]


@pytest.mark.parametrize("name", NOT_HELD_OUT)
def test_rows_that_nothing_calls_held_out_are_not(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert codes(tmp_path / "train.py", NOT_HELD_OUT[name]) == []
