"""What a rule is. One rule = one disease = one file `<code>_<name>.py`; discovery walks the folder.

A rule file holds `RULE`, `check(record, *, keyword defaults) -> Iterator[Finding]`, `sick()` and `healthy()`:
records in, findings out, no live model. Raise `Undecided` where the records do not suffice for a verdict.
It may hold `picture(run, finding) -> Figure | None`, what shows the disease best, for the report of a first cause, and
`correct(statement, finding) -> str | None`, the corrected text of the statement at the finding's line.
"""

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import UnionType
from typing import Any, Literal, Protocol, cast

import torchclinic.rules
from torchclinic.observe.records import RunRecord
from torchclinic.report.model import Finding, Severity, Value
from torchclinic.report.results import Figure
from torchclinic.script.statements import Statement

Kind = Literal["exact", "probe", "window"]
Picture = Callable[[RunRecord, Finding], Figure | None]
Correct = Callable[[Statement, Finding], str | None]


class Undecided(Exception):  # noqa: N818 - an answer, not an error
    """The rule cannot say; the reason goes under *could not be checked*."""


@dataclass(frozen=True, slots=True)
class Rule:
    code: str
    name: str
    severity: Severity
    kind: Kind
    reads: type | UnionType  # the records `check` takes; it is called once for each
    explanation: str  # the module's docstring: what it means, evidence, when this is fine, fix, references
    follows: tuple[str, ...] = ()  # codes that bring this about; the first of them that was found is its cause
    needs: tuple[str, ...] = ()  # occasions without which it does not apply, by their names in `occasions.py`
    outcome: bool = False  # what became of the run: it follows from whatever else was found

    def finding(
        self,
        message: str,
        *,
        where: str = "",
        line: str = "",
        step: int | None = None,
        evidence: dict[str, Value] | None = None,
        fix: str = "",
    ) -> Finding:
        return Finding(self.code, self.name, self.severity, message, where, line, step, evidence or {}, fix)


@dataclass(frozen=True, slots=True)
class Specimen:
    """The smallest training script that has the disease, or its twin that is the same without it."""

    script: str  # plain PyTorch, a few steps, deterministic, under a second
    ranks: int = 1  # processes that run it under torchrun


class RuleModule(Protocol):
    RULE: Rule
    check: Callable[..., Iterator[Finding]]
    sick: Callable[[], Specimen]
    healthy: Callable[[], Specimen]


@cache
def discover() -> tuple[RuleModule, ...]:
    """Every rule of the folder, in the order of the codes."""
    names = sorted(info.name for info in pkgutil.iter_modules(torchclinic.rules.__path__))
    modules: list[Any] = [import_module(f"torchclinic.rules.{name}") for name in names]
    return tuple(cast(RuleModule, module) for module in modules if hasattr(module, "RULE"))


@cache
def pictures() -> dict[str, Picture]:
    """By code, of the rules that have one."""
    return {module.RULE.code: module.picture for module in discover() if hasattr(module, "picture")}


@cache
def corrections() -> dict[str, Correct]:
    """By code, of the rules whose remedy is local."""
    return {module.RULE.code: module.correct for module in discover() if hasattr(module, "correct")}
