"""Reports in a terminal: 80 columns, nothing interpreted, nothing left out silently."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from report_fixtures import HOSTILE, figures, full_report
from torchclinic.report.model import Claim, Section, Table
from torchclinic.report.results import Report
from torchclinic.report.text import MOST_ROWS, Printer, figure_text, report_text
from torchclinic.report.wording import claim_values, expectation

GOLDEN = Path(__file__).parents[1] / "golden"
OVERWRITE = "TORCHCLINIC_OVERWRITE_GOLDEN"


def printed(report: Report, **options: object) -> str:
    console = Console(file=io.StringIO(), width=80, highlight=False, markup=False, emoji=False, **options)
    Printer(console).title("t")
    for section in report.sections:
        Printer(console).block(section)
    Printer(console).end(report)
    return console.file.getvalue()


def test_report_text_is_the_golden_file():
    text = report_text(full_report())
    path = GOLDEN / "report.txt"
    if os.environ.get(OVERWRITE):
        path.write_text(text, encoding="utf8")
    assert text == path.read_text(encoding="utf8"), f"set {OVERWRITE}=1 to accept the new text"


def test_no_line_is_longer_than_80_columns():
    assert max(map(len, report_text(full_report("a.long.module.path." * 8)).splitlines())) <= 80


def test_control_characters_are_shown_not_sent():
    text = report_text(full_report(HOSTILE))
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "\\x1b" in text


def test_markup_in_names_stays_text():
    assert "[bold]" in report_text(full_report("[bold]layer[/bold]"))


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=40))
def test_any_text_can_be_printed(text):
    result = report_text(Report(text, (Section(text, (Claim(text, text, text, text), Table((text,), ((text,),)))),)))
    result.encode("utf8")
    assert all(character.isprintable() or character in "\n\u00a0" or ord(character) > 127 for character in result)


def test_color_only_on_a_terminal(monkeypatch):
    report = full_report()
    assert "\x1b[" not in printed(report)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;31m" in printed(report, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in printed(report, force_terminal=True)
    assert "\x1b[1;31m" not in printed(report, force_terminal=True)


def test_a_long_table_says_how_many_rows_are_left_out():
    table = Table(("i",), tuple((i,) for i in range(100)))
    text = report_text(Report("t", (Section("s", (table,)),)))
    assert f"… {100 - MOST_ROWS} more rows" in text


def test_a_wide_table_says_how_many_columns_are_left_out():
    table = Table(tuple(f"column {i}" for i in range(30)), (tuple(range(30)),))
    text = report_text(Report("t", (Section("s", (table,)),)))
    shown = sum(f"column {i} " in text or f"column {i}\n" in text for i in range(30))
    assert f"… {30 - shown} more columns" in text


@pytest.mark.parametrize("figure", figures(), ids=lambda figure: figure.title)
def test_a_figure_has_a_text_rendering(figure):
    text = figure_text(figure)
    assert text.startswith(figure.title)
    assert len(text.splitlines()) > 1
    assert str(figure) == text


def test_the_three_lists_are_never_left_out():
    text = str(Report("Nothing at all"))
    assert "Found\n─────\nNothing." in text
    assert "Checked and found fine\n──────────────────────\nNothing." in text
    assert "Could not be checked\n────────────────────\nNothing." in text


@settings(deadline=None)
@given(st.floats(0.1, 10), st.floats(1e-12, 1e-3))
def test_unequal_values_never_read_the_same(value, difference):
    claim = Claim("id", "s", value, value * (1 + difference), "≈", 0.5)
    predicted, measured = claim_values(claim)
    assert (predicted == measured) == (claim.predicted == claim.measured)


@pytest.mark.parametrize(
    ("relation", "tolerance", "expected"),
    [("==", 0.0, "2 s"), ("≈", 0.1, "2 ± 0.1 s"), ("≥", 0.0, "≥ 2 s"), ("≥", 0.1, "≥ 2 − 0.1 s"), ("<", 0.1, "< 2 + 0.1 s")],
)
def test_expectation_says_what_the_relation_allows(relation, tolerance, expected):
    assert expectation(Claim("id", "s", 2, 2, relation, tolerance, "s")) == expected


def test_printing_a_report_leaves_the_random_stream_alone():
    """rich draws a number when it is imported: a seeded run must go on as if nothing had been printed."""
    code = (
        "import random, torchclinic\nrandom.seed(0)\nexpected = random.Random(0).random()\n"
        "str(torchclinic.Report('t'))\nassert random.random() == expected"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
