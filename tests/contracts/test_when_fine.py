"""Each clause of a rule's *When this is fine* has a case that quotes it."""

import ast
import runpy
from functools import cache
from pathlib import Path

import pytest

from rules.when_fine import DOCUMENTS, Case, clauses
from rules.when_fine_elsewhere import ELSEWHERE, REMARKS, Elsewhere

TESTS = Path(__file__).parents[1]


@cache
def cases() -> tuple[Case, ...]:
    files = sorted((TESTS / "rules").glob("test_when_fine_*.py"))
    return tuple(case for file in files for case in runpy.run_path(str(file))["CASES"])


def quotes(code: str) -> set[str]:
    """What is said to stand in the document of this rule."""
    own = {entry.clause for entry in (*cases(), *ELSEWHERE) if entry.code == code}
    return own | set(REMARKS.get(code, ()))


@pytest.mark.parametrize("code", DOCUMENTS)
def test_every_clause_is_quoted_by_a_case(code: str) -> None:
    assert [clause for clause in clauses(code) if not any(quote in clause for quote in quotes(code))] == []


@pytest.mark.parametrize("code", DOCUMENTS)
def test_every_quote_stands_in_a_clause(code: str) -> None:
    assert [quote for quote in quotes(code) if not any(quote in clause for clause in clauses(code))] == []


def test_every_case_belongs_to_a_rule() -> None:
    assert {entry.code for entry in (*cases(), *ELSEWHERE)} | set(REMARKS) <= set(DOCUMENTS)


@pytest.mark.parametrize("entry", ELSEWHERE, ids=lambda entry: f"{entry.code}-{entry.name}")
def test_a_case_that_stands_elsewhere_is_there(entry: Elsewhere) -> None:
    nodes = list(ast.walk(ast.parse((TESTS / entry.file).read_text())))
    tests = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    named = {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert entry.name in tests | named


def test_a_clause_that_is_added_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    heading = "## When this is fine\n"
    monkeypatch.setitem(DOCUMENTS, "DAT002", DOCUMENTS["DAT002"].replace(heading, heading + "A new one; "))
    with pytest.raises(AssertionError):
        test_every_clause_is_quoted_by_a_case("DAT002")
