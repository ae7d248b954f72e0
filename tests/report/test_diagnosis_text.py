"""What a run's report looks like in a terminal."""

from pathlib import Path

import pytest

from torchclinic.diagnosis.excerpts import difference, excerpt
from torchclinic.report.diagnosis_text import diagnosis_lines
from torchclinic.report.model import Finding, NotChecked, PlainReport

SCRIPT = "import torch\n\nfor i in range(3):\n    loss = net(x).sum()\n    loss.backward()\n    opt.zero_grad()\n"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    name = f"{tmp_path.name}.py"  # read anew: `linecache` knows names
    (tmp_path / name).write_text(SCRIPT)
    return name


def test_the_line_is_marked_between_its_neighbours(script: str) -> None:
    assert excerpt(f"{script}:5").splitlines() == [
        "  3 | for i in range(3):",
        "  4 |     loss = net(x).sum()",
        "> 5 |     loss.backward()",
        "    |     ^^^^^^^^^^^^^^^",
        "  6 |     opt.zero_grad()",
    ]
    assert excerpt(f"{script}:99") == excerpt("nowhere.py:1") == excerpt("") == ""


def test_a_correction_is_a_difference_that_patch_reads(script: str) -> None:
    finding = Finding("X", "x", "error", "", line=f"{script}:6", corrected="    opt.step()\n    opt.zero_grad()")
    assert difference(finding).splitlines() == [
        f"--- {script}",
        f"+++ {script}",
        "@@ -5,2 +5,3 @@",
        "     loss.backward()",
        "+    opt.step()",
        "     opt.zero_grad()",
    ]
    assert difference(Finding("X", "x", "error", "", line=f"{script}:6")) == ""


def said(report: PlainReport, *, verbose: bool = False) -> list[str]:
    return [f"{depth}:{text.plain}" for depth, text in diagnosis_lines(report, verbose=verbose) if text.plain]


def test_consequences_stand_below_their_causes() -> None:
    found = (
        Finding("AAA001", "first", "error", "It is wrong.", line="a.py:3", rank=1, evidence={"share": 0.5}, fix="Mend it."),
        Finding("BBB002", "second", "warning", "So this is.", rank=2, causes=("AAA001",)),
        Finding("CCC003", "third", "warning", "And this.", rank=3, causes=("BBB002",)),
        Finding("DDD004", "alone", "warning", "Something else.", rank=4, causes=("ZZZ999",)),
    )
    lines = said(PlainReport("run", findings=found, checked=("E", "F"), not_checked=(NotChecked("G", "too short"),)))
    assert lines[:5] == ["0:error AAA001 first (first cause)", "1:--> a.py:3", "1:It is wrong.", "1:share = 0.5", "1:Fix: Mend it."]
    assert lines[5:9] == ["1:└─ warning BBB002 second follows", "2:So this is.", "2:└─ warning CCC003 third follows", "3:And this."]
    assert lines[9] == "0:warning DDD004 alone"  # its cause is not among the findings
    assert lines[-2:] == [
        "0:More on a code: torchclinic explain AAA001",
        "0:2 rules found nothing wrong, 1 could not be checked: G (-v lists them).",
    ]


def test_the_lists_are_spelt_out_on_demand() -> None:
    absent = (NotChecked("H", "no loader"), NotChecked("I", "no loader"))
    lines = said(PlainReport("run", checked=("E",), not_applicable=absent), verbose=True)
    assert lines[0] == "0:1 rule found nothing wrong, 2 do not apply."
    assert "1:H, I: no loader" in lines
