"""A report in a terminal: 80 columns in files and pipes, colour only on a terminal (rich respects NO_COLOR).

What a report says may come from a stranger's script: no string is read as markup, and control characters are shown,
not sent.
"""

# ruff: noqa: E402
import io
import random
import re
from collections.abc import Iterable, Sequence
from unicodedata import category

_STATE = random.getstate()
import rich.style  # noqa: F401  its first import draws from the global generator (rich 15.0)

random.setstate(_STATE)

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from torchclinic.report import wording
from torchclinic.report.diagnosis_text import diagnosis_lines
from torchclinic.report.model import Block, Claim, Code, Finding, NotChecked, PlainFigure, PlainReport, Prose, Section, Steps, Table
from torchclinic.units import format_column, format_number

WIDTH = 80
INDENT = 4
MOST_COLUMNS = 100  # a wide terminal is not filled: long lines are hard to read
MOST_ROWS = 24  # of a table in the terminal; files hold all of them
NARROWEST_CELL = 14  # a column may be wrapped down to this width before columns are left out
SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def report_text(report: PlainReport) -> str:
    """The whole report as plain text, 80 columns."""
    console = _plain_console()
    printer = Printer(console)
    printer.title(report.title)
    for section in report.sections:
        printer.block(section)
    printer.end(report)
    return _content(console)


def section_text(section: Section) -> str:
    """One section as plain text, 80 columns, without the verdict of a report."""
    console = _plain_console()
    Printer(console).block(section)
    return _content(console)


def figure_text(figure: PlainFigure | Table) -> str:
    """A figure as plain text: its own rendering, or else the table it shows. A table likewise."""
    console = _plain_console()
    Printer(console).block(figure)
    return _content(console)


class _Detail(Text):
    """Text that is indented below the line it belongs to."""


class Printer:
    """Prints a report piece by piece, as it is made."""

    def __init__(self, console: Console | None = None) -> None:
        if console is None:
            console = Console(highlight=False, markup=False, emoji=False)
            console.width = min(console.width, MOST_COLUMNS)
        self._console = console

    def title(self, title: str, question: str = "") -> None:
        self._print(Text(_clean(title), "bold"))
        self._print(Text("═" * min(len(_clean(title)), self._console.width), "dim"))
        if question:
            self._print(_prose(question))

    def block(self, block: Section | Block) -> None:
        """Print a block, or the heading of a section with the blocks it already has."""
        if isinstance(block, Section):
            self._heading(block.title)
            for inner in block.blocks:
                self.block(inner)
            return
        self._console.print()
        for line in _block_lines(block, self._console.width):
            self._print(line)

    def verdict(self, report: PlainReport) -> None:
        """Print a report in a line, and what it found."""
        self._print(Text(f"{_clean(report.title)}: {_clean(report.summary)}", "green" if report.passed else "bold red"))
        found: tuple[Finding | Claim, ...] = (*report.findings, *wording.failed_claims(report))
        for item in found:
            for line in _block_lines(item, self._console.width):
                self._print(line)

    def diagnosis(self, report: PlainReport, *, verbose: bool = False) -> None:
        """Print what was found in a run, the verdict first."""
        self._print(Text(_clean(report.summary), "bold green" if not report.findings else "bold"))
        for depth, line in diagnosis_lines(report, verbose=verbose):
            cleaned = line.copy()
            cleaned.plain = _clean(line.plain)
            self._print(cleaned, depth * INDENT)
        if verbose and report.environment:
            self._print(Text(_clean(", ".join(f"{key} {value}" for key, value in report.environment.items())), "dim"))
        self._console.print()

    def end(self, report: PlainReport) -> None:
        """Print the verdict and the three lists: found, checked and found fine, could not be checked."""
        self._heading("Verdict")
        self._print(Text(wording.verdict(report), "bold green" if report.passed else "bold red"))
        if report.summary:
            self._print(Text(_clean(report.summary), "dim"))
        self._heading(wording.FOUND)
        found: tuple[Finding | Claim, ...] = (*report.findings, *wording.failed_claims(report))
        for item in found:
            for line in _block_lines(item, self._console.width):
                self._print(line)
        if not found:
            self._print(Text(wording.NOTHING))
        self._heading(wording.CHECKED)
        self._print(Text(_clean(", ".join(report.checked)) or wording.NOTHING))
        self._heading(wording.NOT_CHECKED)
        for line in _not_checked_lines(report.not_checked):
            self._print(line)
        if report.not_applicable:
            self._heading(wording.NOT_APPLICABLE)
            for reason, codes in wording.grouped(report.not_applicable):
                self._print(Text(_clean(f"{reason}: {codes}"), "dim"))
        if report.environment:
            values = ", ".join(f"{key} {value}" for key, value in report.environment.items())
            self._console.print()
            self._print(Text(_clean(values), "dim"))
        self._console.print()

    def _heading(self, title: str) -> None:
        self._console.print()
        self._print(Text(_clean(title), "bold"))
        self._print(Text("─" * min(len(_clean(title)), self._console.width), "dim"))

    def _print(self, line: RenderableType, indent: int = 0) -> None:
        if not isinstance(line, Text):
            self._console.print(line)
            return
        indent = indent or (INDENT if isinstance(line, _Detail) else 0)
        if line.no_wrap and line.overflow is None:
            line.truncate(self._console.width - indent, overflow="ellipsis")
        for part in line.wrap(self._console, self._console.width - indent):
            part.rstrip()
            self._console.print(Text(" " * indent).append_text(part), no_wrap=True, overflow="crop")


def _block_lines(block: Block, width: int) -> Iterable[RenderableType]:
    match block:
        case Prose():
            yield _prose(block.text)
        case Code():
            yield from _caption(block.caption)
            yield _Detail(_clean(block.text))
        case Claim():
            yield from _claim_lines(block)
        case Finding():
            yield from _finding_lines(block)
        case Table():
            yield from _caption(block.caption)
            yield from _table_lines(block, width)
        case PlainFigure():
            yield from _figure_lines(block, width)
        case Steps():
            yield from _steps_lines(block, width)


def _claim_lines(claim: Claim) -> Iterable[RenderableType]:
    mark = Text("✓ ", "green") if claim.passed else Text("✗ FAILED ", "bold red")
    yield mark.append(_clean(claim.statement), "default")
    values = f"predicted {wording.expectation(claim)}, measured {wording.measurement(claim)}"
    details = [values, claim.source, claim.note]
    yield _Detail("\n".join(_clean(line) for line in details if line), "dim")


def _finding_lines(finding: Finding) -> Iterable[RenderableType]:
    head = Text(finding.severity, SEVERITY_STYLES[finding.severity])
    head.append(_clean(f" {finding.code} {finding.name}"), "bold")
    if finding.rank == 1:
        head.append(" (first cause)", "default")
    yield head
    evidence = ", ".join(f"{key} = {format_number(value)}" for key, value in finding.evidence.items())
    details = (
        ("", wording.place(finding)),
        ("", finding.message),
        ("Evidence: ", evidence),
        ("Fix: ", finding.fix),
        ("Caused at: ", finding.cause_line if finding.cause_line != finding.line else ""),
        ("Corrected, and checked:\n" if finding.fix_checked else "Corrected:\n", finding.corrected),
        ("Follows from: ", ", ".join(finding.causes)),
    )
    yield _Detail("\n".join(_clean(label + text) for label, text in details if text))


def _figure_lines(figure: PlainFigure, width: int) -> Iterable[RenderableType]:
    yield Text(_clean(figure.title), "bold")
    if figure.description:
        yield Text(_clean(figure.description), "dim")
    if figure.text:
        yield Text(_clean(figure.text), no_wrap=True, overflow="crop")
    else:
        yield from _table_lines(figure.table, width)


def _steps_lines(steps: Steps, width: int) -> Iterable[RenderableType]:
    yield Text(_clean(f"{steps.title}: step 1 of {len(steps.figures)}"), "bold")
    yield from _figure_lines(steps.figures[0], width)
    if len(steps.figures) > 1:
        yield Text(f"… {len(steps.figures) - 1:,} more steps (the HTML report steps through them)", "dim")


def _table_lines(table: Table, width: int) -> Iterable[RenderableType]:
    shown = _columns_that_fit(table, width)
    rendered = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for index in range(shown):
        cells = [row[index] for row in table.rows]
        numeric = bool(cells) and all(cell is None or isinstance(cell, int | float) for cell in cells)
        rendered.add_column(Text(_clean(table.columns[index])), justify="right" if numeric else "left")
    for row in _cells(table):
        rendered.add_row(*(Text(cell) for cell in row[:shown]))
    yield rendered
    left_out = []
    if len(table.rows) > MOST_ROWS:
        left_out.append(f"{len(table.rows) - MOST_ROWS:,} more rows")
    if len(table.columns) > shown:
        left_out.append(f"{len(table.columns) - shown:,} more columns")
    if left_out:
        yield Text(f"… {' and '.join(left_out)} (the HTML report has them)", "dim")


def _columns_that_fit(table: Table, width: int) -> int:
    used = 0
    cells = _cells(table)
    for index, column in enumerate(table.columns):
        widest = max([len(column), *(len(row[index]) for row in cells)])
        used += min(widest, NARROWEST_CELL) + 3
        if used > width and index:
            return index
    return len(table.columns)


def _not_checked_lines(items: Sequence[NotChecked]) -> Iterable[RenderableType]:
    for item in items:
        yield Text(_clean(item.code), "yellow").append(_clean(f": {item.reason}"), "default")
    if not items:
        yield Text(wording.NOTHING)


def _prose(text: str) -> Text:
    """Backticked words in the colour of code; the backticks stay, for terminals without colour."""
    result = Text()
    for part in re.split(r"(`[^`]+`)", _clean(text)):
        result.append(part, "cyan" if part.startswith("`") else "")
    return result


def _caption(caption: str) -> Iterable[RenderableType]:
    if caption:
        yield Text(_clean(caption), "bold")


def _cells(table: Table) -> list[tuple[str, ...]]:
    """The rows that are shown, as text."""
    columns = [format_column(column) for column in zip(*table.rows[:MOST_ROWS], strict=True)]
    return [tuple(map(_clean, row)) for row in zip(*columns, strict=True)]


def _clean(text: str) -> str:
    """Control characters (a terminal would obey them) and lone surrogates become visible escapes."""
    return "".join(repr(c)[1:-1] if category(c) in {"Cc", "Cf", "Cs"} and c not in "\n\t" else c for c in text)


def _plain_console() -> Console:
    return Console(
        file=io.StringIO(),
        width=WIDTH,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _content(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().strip("\n").splitlines()) + "\n"
