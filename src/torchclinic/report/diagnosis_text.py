"""The findings of a run in a terminal: the source with the line marked, causes before what follows from them, the fix as a
difference, and one line for everything else."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from torchclinic.report import wording
from torchclinic.report.model import Finding, NotChecked, PlainReport
from torchclinic.units import format_number

STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_DIFFERENCE = {"+": "green", "-": "red", "@": "dim"}
MOST_NAMED = 4  # rules that could not be checked

Line = tuple[int, Text]  # indentation


def diagnosis_lines(report: PlainReport, *, verbose: bool) -> Iterator[Line]:
    """Every finding under the one it follows from, then what else was checked; `verbose` spells that out."""
    children: dict[str, list[Finding]] = {}
    codes = {finding.code for finding in report.findings}
    for finding in report.findings:
        cause = next((code for code in finding.causes if code in codes), "")
        children.setdefault(cause, []).append(finding)
    told: set[str] = set()
    for finding in children.get("", []):
        yield 0, Text()
        yield from _root(finding)
        if finding.code not in told:
            told.add(finding.code)
            yield from _consequences(finding.code, children, 1, {finding.code})
    if report.findings:
        yield 0, Text()
        yield 0, Text(f"More on a code: torchclinic explain {report.findings[0].code}", "dim")
    yield 0, Text()
    yield from _rest(report, verbose)


def _root(finding: Finding) -> Iterator[Line]:
    head = Text(finding.severity, STYLES[finding.severity])
    head.append(f" {finding.code} {finding.name}", "bold")
    yield 0, head.append(" (first cause)" if finding.rank == 1 and finding.severity != "info" else "")
    yield 1, Text(f"--> {wording.place(finding)}" if wording.place(finding) else "", "cyan")
    for line in finding.excerpt.splitlines():
        yield 1, Text(line, "" if line.startswith(">") or "^" in line else "dim", no_wrap=True)
    yield 1, Text(finding.message)
    if evidence := ", ".join(f"{key} = {format_number(value)}" for key, value in finding.evidence.items()):
        yield 1, Text(evidence, "dim")
    if finding.fix:
        yield 1, Text("Fix: ", "bold").append(finding.fix, "default")
    yield from _patch(finding)


def _patch(finding: Finding) -> Iterator[Line]:
    if not finding.patch:
        if finding.corrected:
            yield 1, Text("Corrected: ", "bold").append(finding.corrected, "default")
        return
    for line in finding.patch.splitlines()[2:]:
        yield 1, Text(line, _DIFFERENCE.get(line[:1], ""), no_wrap=True)


def _consequences(code: str, children: dict[str, list[Finding]], depth: int, above: set[str]) -> Iterator[Line]:
    for finding in children.get(code, []):
        head = Text("└─ ", "dim").append(finding.severity, STYLES[finding.severity])
        head.append(f" {finding.code} {finding.name}", "bold")
        yield depth, head.append(f" follows ({wording.place(finding)})" if wording.place(finding) else " follows", "default")
        yield depth + 1, Text(finding.message)
        if finding.code not in above:
            yield from _consequences(finding.code, children, depth + 1, above | {finding.code})


def _rest(report: PlainReport, verbose: bool) -> Iterator[Line]:
    rules = [item for item in report.not_checked if item.code != "RUN"]
    number = len(report.checked)
    counts = [f"{number} {'rule' if number == 1 else 'rules'} found nothing wrong"]
    if report.not_applicable:
        counts.append(f"{len(report.not_applicable)} do not apply")
    if rules:
        named = "" if len(rules) > MOST_NAMED else f": {', '.join(item.code for item in rules)}"
        counts.append(f"{len(rules)} could not be checked{named}")
    more = "" if verbose else " (-v lists them)"
    yield 0, Text(f"{', '.join(counts)}{more}.")
    for item in report.not_checked:
        if item.code == "RUN":
            yield 0, Text(f"Not observed: {item.reason}.", "yellow")
    if verbose:
        yield 0, Text(f"{wording.CHECKED}: {', '.join(report.checked) or wording.NOTHING}")
        yield from _listed(wording.NOT_CHECKED, rules)
        yield from _listed(wording.NOT_APPLICABLE, report.not_applicable)


def _listed(title: str, items: Sequence[NotChecked]) -> Iterator[Line]:
    if items:
        yield 0, Text(f"{title}:")
    for reason, codes in wording.grouped(items):
        yield 1, Text(f"{codes}: {reason}", "dim")
