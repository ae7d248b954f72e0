"""Cases for *When this is fine*: each clause of a rule's section is quoted by a script that it lets pass.

`test_when_fine_<family>.py` holds `CASES`. A case quotes words of its clause, so the contract test can tell which clauses
have none. A clause that stands tested in another file, or that states no exception, is listed in `when_fine_elsewhere.py`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.report.model import SEVERITIES
from torchclinic.rules.judging import judge
from torchclinic.rules.rule import discover
from torchclinic.rules.specimens import changed
from torchclinic.running.launcher import Target, launch

DOCUMENTS = {module.RULE.code: module.RULE.explanation for module in discover()}
SICK = {module.RULE.code: module.sick().script for module in discover()}
HEALTHY = {module.RULE.code: module.healthy().script for module in discover()}
NORMAL_ENDS = (0, 130)  # a script that is interrupted ends as a shell says it

Changes = tuple[str, str]


@dataclass(frozen=True)
class Case:
    """A script that a clause lets pass, and its neighbour that the clause does not cover."""

    code: str
    clause: str  # words of the clause, as the rule's document has them
    fine: str
    sick: str = ""  # trips the code; empty: the rule's own specimen, from which `fine` was made
    answer: str = "fine"  # to `fine`: fine, undecided, or the severity of what is said all the same
    fails: str = ""  # why the clause does not hold yet


def healed(code: str, clause: str, *changes: Changes, answer: str = "fine") -> Case:
    """The rule's specimen, with the changes that make it fine."""
    return Case(code, clause, changed(SICK[code], *changes), answer=answer)


def pair(code: str, clause: str, fine: str, *changes: Changes, answer: str = "fine") -> Case:
    """A script that is fine; with the changes it trips the code."""
    return Case(code, clause, fine, changed(fine, *changes), answer)


def answered(code: str, script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, int]:
    """What the rule says of a script (fine, undecided, or the severity of its findings), and how the script ended."""
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(folder)
    (folder / "train.py").write_text(script)
    session = Session()
    outcome = launch(Target("train.py"), session, lambda outcome: None)
    verdict = judge(collect(session), select=[code])
    if verdict.findings:
        return verdict.findings[0].severity, outcome.exit_code
    return "undecided" if verdict.not_checked else "fine", outcome.exit_code  # fine, or it does not apply


def params(cases: Iterable[Case]) -> list[object]:
    return [pytest.param(case, id=f"{case.code}-{case.clause}", marks=_expected(case)) for case in cases]


def _expected(case: Case) -> tuple[pytest.MarkDecorator, ...]:
    return (pytest.mark.xfail(strict=True, raises=AssertionError, reason=case.fails),) if case.fails else ()


def check(case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, ended = answered(case.code, case.fine, folder, monkeypatch)
    assert answer == case.answer
    assert ended in NORMAL_ENDS
    if case.sick:
        assert answered(case.code, case.sick, folder, monkeypatch)[0] in SEVERITIES


def clauses(code: str) -> list[str]:
    """Sentences of the section, and parts of sentences between semicolons. One that begins with *Never* is no exception."""
    section = DOCUMENTS[code].partition("## When this is fine\n")[2].partition("\n##")[0]
    parts = re.split(r"(?<=[.;]) (?![^(]*\))", " ".join(section.split()))
    return [part for part in parts if not part.startswith("Never")]
