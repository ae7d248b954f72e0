"""Runs torchclinic on the cases of the corpus and says what its explanations are worth, per kind.

    python tests/corpus/measure_explanations.py [--read | --json] [<kind>[/<case>] ...]

A case counts as explained if its error is of a known kind. The failing line and the line at fault are compared with the
answer's. An edit that was given is applied, and the script must get past the failing line. With --read each explanation is
printed beside the answer of the corpus: whether it is right is for a reader to say.
"""

import json
import os
import signal
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch._dynamo
from run_error_cases import SECONDS, run_in_child, silence

from torchclinic.observe.session import Session
from torchclinic.running.launcher import Target, launch

ERRORS = Path(__file__).parent / "errors"


@dataclass(frozen=True, slots=True)
class Measured:
    """What torchclinic says of one case."""

    kind: str
    case: str
    answer: dict[str, Any]
    error: dict[str, Any] | None  # the key `error` of the report
    text: str
    past: bool | None  # whether the script gets past the line with the edit; None: no edit

    def to_dict(self) -> dict[str, Any]:
        names = ("kind", "case", "past", "explained", "failing_line_right", "cause_line_right")
        code = self.error["code"] if self.error is not None else ""
        return {**{name: getattr(self, name) for name in names}, "code": code, "lines": len(self.text.splitlines())}

    @property
    def explained(self) -> bool:
        return self.error is not None and self.error["code"] != "ERR000"

    @property
    def failing_line_right(self) -> bool:
        return self.error is not None and _number(self.error["line"]) == self.answer["fails"]

    @property
    def cause_line_right(self) -> bool:
        """A line that is named; where none is, the failing line stands for it."""
        return (
            self.explained
            and self.error is not None
            and _number(self.error["cause_line"] or self.error["line"]) == self.answer["cause"]
        )


def _number(place: str) -> int:
    return int(place.rpartition(":")[2] or 0)


def observed(script: Path) -> dict[str, Any]:
    """The report's error and its text, of the script run under observation."""
    outcome = launch(Target(str(script)), Session(), lambda outcome: None)
    crash = outcome.crash
    return {"error": None if crash is None else crash.to_dict(), "text": "" if crash is None else crash.text()}


def observed_in_child(script: Path, result: Path) -> dict[str, Any]:
    result.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        silence()
        result.write_text(json.dumps(observed(script)))
        os._exit(0)
    os.waitpid(child, 0)
    return json.loads(result.read_text()) if result.exists() else {"error": None, "text": ""}


def edited(text: str, edit: dict[str, Any]) -> tuple[str, int]:
    """The script with the edit applied, and by how many lines what follows it has moved."""
    lines, new = text.splitlines(), edit["new"].splitlines()
    first, last = _number(edit["line"]), edit["last"]
    assert "\n".join(lines[first - 1 : last]) == edit["old"]
    return "\n".join([*lines[: first - 1], *new, *lines[last:]]) + "\n", len(new) - (last - first + 1)


def gets_past(script: Path, error: dict[str, Any], result: Path) -> bool:
    text, moved = edited(script.read_text(), error["edit"])
    copy = result.parent / script.name
    copy.write_text(text)
    raised = run_in_child(copy, result)
    failed = _number(error["line"])
    return raised is None or (
        raised["error"] != "process" and raised["line"] != failed + (moved if _number(error["edit"]["line"]) <= failed else 0)
    )


def measured(kind: str, case: str, answer: dict[str, Any]) -> Measured:
    script = ERRORS / kind / f"{case}.py"
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch, "result.json")
        seen = observed_in_child(script, result)
        error = seen["error"]
        past = gets_past(script, error, result) if error is not None and error["edit"] else None
    return Measured(kind, case, answer, error, seen["text"], past)


def cases(only: list[str]) -> list[tuple[str, str, dict[str, Any]]]:
    found = []
    for path in sorted(ERRORS.glob("*/answers.toml")):
        for case, answer in tomllib.loads(path.read_text()).items():
            if not only or path.parent.name in only or f"{path.parent.name}/{case}" in only:
                found.append((path.parent.name, case, answer))
    return found


def table(results: list[Measured]) -> str:
    head = f"{'kind':<24}{'cases':>6}{'explained':>10}{'failing line':>13}{'cause line':>11}{'edits':>6}{'get past':>9}"
    rows = [head]
    for kind in [*dict.fromkeys(result.kind for result in results), "all"]:
        of = [r for r in results if kind in (r.kind, "all")]
        counts = (
            len(of),
            sum(r.explained for r in of),
            sum(r.failing_line_right for r in of),
            sum(r.cause_line_right for r in of),
            sum(r.past is not None for r in of),
            sum(r.past is True for r in of),
        )
        rows.append(f"{kind:<24}{counts[0]:>6}{counts[1]:>10}{counts[2]:>13}{counts[3]:>11}{counts[4]:>6}{counts[5]:>9}")
    return "\n".join(rows)


def reading(result: Measured) -> str:
    error = result.error or {}
    marks = [
        "" if result.failing_line_right else f"failing line {error.get('line')} for {result.answer['fails']}",
        "" if result.cause_line_right else f"cause line {error.get('cause_line')} for {result.answer['cause']}",
        "" if result.past in (None, True) else "THE EDIT DOES NOT HELP",
    ]
    head = f"=== {result.kind}/{result.case}  {'; '.join(filter(None, marks))}"
    said = result.text or f"(unexplained) {error.get('type')}: {error.get('message', '')[:200]}"
    return f"{head}\n{said}\n  ANSWER   {result.answer['answer']}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    results = []
    for kind, case, answer in cases(wanted):
        results.append(measured(kind, case, answer))
        if "--read" in sys.argv:
            sys.stdout.write(reading(results[-1]) + "\n")
    as_json = "--json" in sys.argv
    sys.stdout.write((json.dumps([result.to_dict() for result in results]) if as_json else table(results)) + "\n")
