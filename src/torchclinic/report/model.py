"""What a report is made of. Plain frozen data: no torch, no rendering.

A `Report` is an ordered list of sections; a section holds prose, code, claims, findings, tables and figures.
Three lists are never left out: what was found, what was checked and found fine, what could not be checked and why.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Value = bool | int | float | str | None
Relation = Literal["==", "≈", "≥", "≤", ">", "<"]
Severity = Literal["error", "warning", "info"]
SCHEMA = "torchclinic.report/1"
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement that can be false: what theory predicts, what was measured, and whether they agree.

    `passed` is computed, never given. `≈` allows `tolerance` on either side (same unit as the values);
    the inequalities compare measured with predicted, in that order, and give `tolerance` of slack.
    A value that is NaN never passes.
    """

    id: str
    statement: str
    predicted: Value
    measured: Value
    relation: Relation = "=="
    tolerance: float = 0.0
    unit: str = ""
    source: str = ""  # paper and equation
    note: str = ""  # n, mean and spread, or when the statement does not hold

    def __post_init__(self) -> None:
        object.__setattr__(self, "predicted", _plain(self.predicted))
        object.__setattr__(self, "measured", _plain(self.measured))

    @property
    def passed(self) -> bool:
        if self.relation == "==":
            return self.measured == self.predicted
        if not isinstance(self.predicted, int | float) or not isinstance(self.measured, int | float):
            return False
        excess = self.measured - self.predicted
        if math.isnan(excess):
            return False
        return {
            "≈": abs(excess) <= self.tolerance,
            "≥": excess >= -self.tolerance,
            "≤": excess <= self.tolerance,
            ">": excess > -self.tolerance,
            "<": excess < self.tolerance,
        }[self.relation]

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "statement": self.statement,
            "predicted": _finite(self.predicted),
            "measured": _finite(self.measured),
            "relation": self.relation,
            "tolerance": _finite(self.tolerance),
            "unit": self.unit,
            "passed": self.passed,
            "source": self.source,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fired."""

    code: str
    name: str
    severity: Severity
    message: str
    where: str = ""  # module path or parameter name
    line: str = ""  # file:line of the user's script
    step: int | None = None
    evidence: Mapping[str, Value] = field(default_factory=dict)
    fix: str = ""
    rank: int = 0  # 1 = first cause; 0 = not ranked
    causes: tuple[str, ...] = ()  # codes of the findings this one follows from
    corrected: str = ""  # lines of code in place of the one at `cause_line` or, without one, at `line`, where the remedy is local
    cause_line: str = ""  # file:line that brought it about, where that is known and another
    fix_checked: bool = False  # `corrected` was tried: with it, what failed passes
    place: str = ""  # `where` in words
    excerpt: str = ""  # the lines round `line`, marked
    patch: str = ""  # the correction as a unified difference

    def to_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "name": self.name,
            "severity": self.severity,
            "rank": self.rank,
            "where": self.where,
            "line": self.line,
            "step": self.step,
            "message": self.message,
            "evidence": {key: _finite(value) for key, value in self.evidence.items()},
            "fix": self.fix,
            "corrected": self.corrected,
            "excerpt": self.excerpt,
            "patch": self.patch,
            "cause_line": self.cause_line,
            "fix_checked": self.fix_checked,
            "causes": list(self.causes),
        }


@dataclass(frozen=True, slots=True)
class NotChecked:
    """Something that could not be checked, and why."""

    code: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        return {"code": self.code, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Prose:
    """Plain text. Paragraphs are separated by an empty line; `backticks` mark code."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    text: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), "every row has a cell per column"

    def to_dict(self) -> dict[str, Any]:
        rows = [[_finite(cell) for cell in row] for row in self.rows]
        return {"columns": list(self.columns), "rows": rows, "caption": self.caption}


@dataclass(frozen=True, slots=True)
class PlainFigure:
    """An SVG drawn once in Python, plus the table it shows.

    `svg` is a complete `<svg>` element drawn by `report.figures` (or with its `Drawing`), with no script and no link.
    `description` says in words what is to be seen. `text` is an 80-column rendering for terminals; empty = the table.
    """

    title: str
    svg: str
    table: Table
    description: str = ""
    text: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"title": self.title, "description": self.description, "table": self.table.to_dict()}


@dataclass(frozen=True, slots=True)
class Steps:
    """Figures that show one thing changing. A page steps through them; where nothing can be pressed, all are shown."""

    title: str
    figures: tuple[PlainFigure, ...]

    def __post_init__(self) -> None:
        assert self.figures, "there is a first step"


Block = Prose | Code | Claim | Finding | Table | PlainFigure | Steps


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class PlainReport:
    """An ordered list of sections, and the lists that are never left out.

    `data` holds further top-level keys of the JSON file; `environment` says on what the figures were obtained.
    """

    title: str
    sections: tuple[Section, ...] = ()
    findings: tuple[Finding, ...] = ()
    checked: tuple[str, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    not_applicable: tuple[NotChecked, ...] = ()  # what there was no occasion for
    summary: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Value] = field(default_factory=dict)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(block for block in self._blocks() if isinstance(block, Claim))

    @property
    def passed(self) -> bool:
        """No claim failed and no finding is an error."""
        return all(claim.passed for claim in self.claims) and not any(f.severity == "error" for f in self.findings)

    def _blocks(self) -> Iterator[Block]:
        for section in self.sections:
            yield from section.blocks

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "title": self.title,
            "summary": self.summary,
            "findings": [finding.to_dict() for finding in self.findings],
            "claims": [claim.to_dict() for claim in self.claims],
            "checked": list(self.checked),
            "not_checked": [item.to_dict() for item in self.not_checked],
            "not_applicable": [item.to_dict() for item in self.not_applicable],
            "environment": _json_safe(self.environment),
            **_json_safe(self.data),
        }


def worst_severity(findings: Sequence[Finding]) -> Severity | None:
    return next((severity for severity in SEVERITIES if any(f.severity == severity for f in findings)), None)


def _json_safe(value: Any) -> Any:
    """Nested data as JSON can hold it; a tuple becomes a list, a numpy scalar the Python number."""
    if isinstance(value, Mapping):
        return {str(key): _json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_safe(item) for item in value]
    return _finite(value)


def _plain(value: Any) -> Any:
    """A numpy scalar or a tensor of one element as the Python number it holds."""
    return value.item() if hasattr(value, "item") else value


def _finite(value: Value) -> Value:
    """JSON has no NaN or infinity: they are written as strings."""
    value = _plain(value)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
