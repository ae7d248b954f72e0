"""The lines of the script round a finding, and the corrected line as a difference."""

import difflib
import linecache
from dataclasses import replace
from pathlib import Path

from torchclinic.observe.records import RunRecord
from torchclinic.report.model import Finding
from torchclinic.script.statements import statement_at

BESIDE = 2  # lines before and after


def with_source(finding: Finding, run: RunRecord) -> Finding:
    """The finding with its lines of the script, its correction as a difference, and the kind of the module it names."""
    kinds = {path: kind for model in run.models for path, kind, *_ in model.modules if path}
    where = f"layer `{finding.where}` ({kinds[finding.where]})" if finding.where in kinds else finding.where
    return replace(finding, place=where, excerpt=excerpt(finding.line), patch=difference(finding))


def excerpt(place: str) -> str:
    """The line `file:number` between its neighbours, marked; empty where it cannot be read."""
    lines, number = _lines(place)
    if not 0 < number <= len(lines) or not lines[number - 1].strip():
        return ""
    shown = range(max(1, number - BESIDE), min(len(lines), number + BESIDE) + 1)
    width = len(str(shown[-1]))
    result = []
    for line in shown:
        text = lines[line - 1].rstrip().expandtabs(4)
        result.append(f"{'>' if line == number else ' '} {line:>{width}} | {text}".rstrip())
        if line == number:
            indent = len(text) - len(text.lstrip())
            result.append(f"  {'':>{width}} | {' ' * indent}{'^' * len(text.strip())}")
    return "\n".join(result)


def difference(finding: Finding) -> str:
    """The correction as `patch` reads it; empty without one."""
    place = finding.cause_line or finding.line
    lines, _ = _lines(place)
    statement = statement_at(place) if finding.corrected else None
    if statement is None:
        return ""
    first, last = statement.node.lineno, statement.node.end_lineno or statement.node.lineno
    text = finding.corrected if finding.corrected.startswith(statement.indent) else statement.indent + finding.corrected
    name = place.rpartition(":")[0]
    changed = [*lines[: first - 1], *(f"{line}\n" for line in text.splitlines()), *lines[last:]]
    return "".join(difflib.unified_diff(lines, changed, name, name, n=1)).rstrip("\n")


def _lines(place: str) -> tuple[list[str], int]:
    name, _, number = place.rpartition(":")
    if not name or not number.isdigit():
        return [], 0
    return linecache.getlines(str(Path(name).absolute())), int(number)
