"""Every script of the corpus raises the error that its answer is about, and no longer raises it once it is repaired."""

import functools
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

CORPUS = Path(__file__).parent / "errors"
RUNNER = Path(__file__).parent / "run_error_cases.py"
KINDS = sorted(path.parent.name for path in CORPUS.glob("*/answers.toml"))
REQUIRED = {"error": str, "message": str, "answer": str, "fails": int, "cause": int}
OPTIONAL = {"fix": list, "then": int}


def answers_of(kind: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads((CORPUS / kind / "answers.toml").read_text())


CASES = [pytest.param(kind, case, answer, id=f"{kind}-{case}") for kind in KINDS for case, answer in answers_of(kind).items()]
REPAIRED = [param for param in CASES if "fix" in param.values[2]]


@functools.cache
def runs_of(kind: str) -> dict[str, dict[str, Any]]:
    """What the cases of a kind raised, all run by one process. A machine's accelerator is hidden: the corpus is of CPU errors."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(RUNNER), str(CORPUS / kind)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_every_script_has_an_answer_and_every_answer_a_script(kind: str) -> None:
    assert sorted(answers_of(kind)) == sorted(script.stem for script in (CORPUS / kind).glob("*.py"))


@pytest.mark.parametrize(("kind", "case", "answer"), CASES)
def test_answer_is_complete(kind: str, case: str, answer: dict[str, Any]) -> None:
    lines = (CORPUS / kind / f"{case}.py").read_text().splitlines()
    known = REQUIRED | OPTIONAL
    assert not REQUIRED.keys() - answer.keys()
    assert not answer.keys() - known.keys()
    assert all(type(value) is known[key] for key, value in answer.items())
    numbers = [answer["fails"], answer["cause"], *(number for number, _ in answer.get("fix", []))]
    assert all(1 <= number <= len(lines) and lines[number - 1].strip() for number in numbers)


@pytest.mark.parametrize(("kind", "case", "answer"), CASES)
def test_script_raises_the_error_of_its_answer(kind: str, case: str, answer: dict[str, Any]) -> None:
    raised = runs_of(kind)[case]["raised"]
    assert raised is not None, "the script finishes"
    assert (raised["error"], raised["line"]) == (answer["error"], answer["fails"]), raised["message"]
    assert raised["message"].startswith(answer["message"])


@pytest.mark.parametrize(("kind", "case", "answer"), REPAIRED)
def test_repaired_script_finishes(kind: str, case: str, answer: dict[str, Any]) -> None:
    raised = runs_of(kind)[case]["repaired"]
    line = None if raised is None else raised["line"]
    assert line == answer.get("then"), raised
    assert raised is None or line is not None, raised
