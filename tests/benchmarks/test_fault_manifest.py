"""The benchmark of faults: its manifest is complete and true to its files, and its scripts give nothing away."""

import difflib
import io
import json
import os
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from fault_fixtures import FAULTS, load

FOLDERS = ("sick", "twins", "healthy", "double")
SCRIPTS = json.loads((FAULTS / "manifest.json").read_text())["scripts"]

CATALOGUE = {
    **{f"WIR{n:03}": "exact" for n in range(1, 11)},
    **{f"MOD{n:03}": "exact" for n in (1, 2, 4, 6, 7)},
    **{f"MOD{n:03}": "probe" for n in (3, 5)},
    **{f"LOS{n:03}": "exact" for n in (1, 2, 3, 4, 5, 6, 7, 9, 10)},
    "LOS008": "window",
    **{f"SHP{n:03}": "exact" for n in (1, 3, 4, 5, 6, 7)},
    "SHP002": "probe",
    **{f"INI{n:03}": "exact" for n in (1, 2, 6, 7)},
    **{f"INI{n:03}": "probe" for n in (3, 4, 5)},
    **{f"ACT{n:03}": "window" for n in (1, 2, 3)},
    **{f"GRA{n:03}": "window" for n in (1, 2)},
    **{f"OPT{n:03}": "window" for n in (1, 2, 5, 6)},
    **{f"OPT{n:03}": "exact" for n in (3, 4)},
    "NUM001": "exact",
    "NUM002": "window",
    **{f"DAT{n:03}": "exact" for n in (1, 2, 6, 7, 8)},
    **{f"DAT{n:03}": "window" for n in (3, 4)},
    "DAT005": "probe",
    **{f"EVA{n:03}": "exact" for n in (1, 2, 3)},
    **{f"DST{n:03}": "exact" for n in (1, 2, 3, 4)},
}
NOT_COVERED = {"DST001", "DST003", "DST004"}  # need several processes
TELLTALE = re.compile(
    r"\b(bug|buggy|fault|faulty|wrong|wrongly|mistake|missing|broken|leak|forgot|forgotten|stale|sick|twin|disease|healthy"
    r"|defect|incorrect|error-prone|vanish\w*|explod\w*|dead|saturat\w*|unregistered"
    r"|swapped|aliased?|should have|oops|fixme|todo)\b",
    re.IGNORECASE,
)
CODE = re.compile(r"\b(WIR|MOD|LOS|SHP|INI|ACT|GRA|OPT|NUM|DAT|EVA|DST)\d{3}\b")


run_all = load("run_all")


def prose(source: str) -> str:
    """Comments and strings of a script: all that could be read as an explanation."""
    wanted = (
        (tokenize.COMMENT, tokenize.STRING, tokenize.FSTRING_MIDDLE)
        if sys.version_info >= (3, 12)
        else (tokenize.COMMENT, tokenize.STRING)
    )
    return "\n".join(t.string for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type in wanted)


def of_role(role: str) -> list[dict]:
    return [entry for entry in SCRIPTS if entry["role"] == role]


def test_manifest_and_folders_hold_the_same_scripts() -> None:
    listed = [e["file"] for e in SCRIPTS] + [e["twin"] for e in SCRIPTS if e["twin"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {str(p.relative_to(FAULTS)) for folder in FOLDERS for p in (FAULTS / folder).glob("*.py")}


def test_there_are_enough_scripts_of_every_role() -> None:
    assert len(of_role("sick")) >= 60
    assert sum(bool(e["twin"]) for e in of_role("sick")) >= 30
    assert len(of_role("healthy")) >= 25
    assert len(of_role("double")) == 6


@pytest.mark.parametrize("entry", SCRIPTS, ids=lambda e: e["file"])
def test_entry_is_complete_and_its_codes_are_in_the_catalogue(entry: dict) -> None:
    assert entry["file"].split("/")[0] == entry["role"]
    assert len(entry["codes"]) == {"sick": 1, "healthy": 0, "double": 2}[entry["role"]]
    assert {*entry["codes"], *entry["acceptable"]} <= set(CATALOGUE)
    assert not set(entry["codes"]) & set(entry["acceptable"])
    assert entry["split"] in ("tune", "report")
    assert entry["description"]
    if entry["role"] == "sick":
        assert entry["kind"] == CATALOGUE[entry["codes"][0]]


@pytest.mark.parametrize("entry", [e for e in SCRIPTS if e["line"]], ids=lambda e: e["file"])
def test_recorded_lines_point_at_code(entry: dict) -> None:
    lines = (FAULTS / entry["file"]).read_text().splitlines()
    for number in [entry["line"], *entry.get("lines", [])]:
        assert 1 <= number <= len(lines)
        assert lines[number - 1].strip()
        assert not lines[number - 1].lstrip().startswith(("#", '"""', "import", "from"))


def test_every_fault_records_its_line_and_doubles_record_both() -> None:
    assert all(e["line"] for e in of_role("sick"))
    assert all(len(e["lines"]) == 2 for e in of_role("double"))


def test_every_code_one_process_can_show_has_a_script() -> None:
    shown = {code for e in of_role("sick") for code in e["codes"]}
    assert set(CATALOGUE) - shown == NOT_COVERED


def test_faults_are_weighted_as_in_reality() -> None:
    frequent = [e for e in of_role("sick") if e["codes"][0][:3] in ("WIR", "LOS", "MOD", "SHP")]
    assert 0.5 <= len(frequent) / len(of_role("sick")) <= 0.66


def test_no_architecture_is_in_both_splits() -> None:
    family = {}
    for entry in SCRIPTS:
        name = re.sub(r"_\d+$", "", Path(entry["file"]).stem)
        assert family.setdefault(name, entry["split"]) == entry["split"]


@pytest.mark.parametrize("path", sorted(FAULTS.glob("*/*.py")), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_script_compiles_and_gives_nothing_away(path: Path) -> None:
    source = path.read_text()
    compile(source, str(path), "exec")
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*_\d\d\.py", path.name)
    assert not CODE.search(source)
    assert "torchclinic" not in source.lower().replace("torchclinic_data", "")
    told = TELLTALE.search(prose(source) + "\n" + path.stem.replace("_", " "))
    assert told is None, told


def test_telltale_words_and_codes_would_be_noticed() -> None:
    assert TELLTALE.search(prose("x = 1  # the missing call\n"))
    assert CODE.search("see WIR001")


@pytest.mark.parametrize("entry", [e for e in SCRIPTS if e["twin"]], ids=lambda e: e["file"])
def test_twin_differs_from_its_script_in_a_few_lines_only(entry: dict) -> None:
    sick, twin = ((FAULTS / entry[k]).read_text().splitlines() for k in ("file", "twin"))
    changed = [line for line in difflib.ndiff(sick, twin) if line.startswith(("+ ", "- ")) and line[2:].strip()]
    assert 1 <= len(changed) <= 12


def test_wilson_interval_matches_its_closed_form_at_the_edges() -> None:
    z2 = 1.959964**2
    for n in (1, 10, 50):
        assert run_all.wilson(n, n) == pytest.approx((n / (n + z2), 1.0))
        assert run_all.wilson(0, n) == pytest.approx((0.0, z2 / (n + z2)))
    low, high = run_all.wilson(30, 60)
    assert low + high == pytest.approx(1.0)
    assert run_all.wilson(0, 0) == (0.0, 1.0)


def outcome(codes: tuple[str, ...], *findings: tuple[str, str, int]) -> object:
    case = run_all.Case("x.py", "sick" if codes else "healthy", codes, ("GRA002",), "exact", "tune", 10)
    return run_all.Outcome(case, [{"code": c, "severity": s, "rank": r, "line": 12} for c, s, r in findings])


def test_scoring_tells_missed_found_and_first() -> None:
    assert run_all.verdict(outcome(("WIR001",))) == "MISSED"
    assert run_all.verdict(outcome(("WIR001",), ("WIR001", "error", 2), ("ACT001", "error", 1))) == "found, not first"
    assert run_all.verdict(outcome(("WIR001",), ("GRA002", "warning", 1))) == "first cause"
    assert run_all.verdict(outcome((), ("WIR001", "info", 1))) == "silent"
    assert run_all.verdict(outcome((), ("WIR001", "warning", 1))) == "FALSE ALARM"


def test_info_does_not_hide_the_alarm_on_top() -> None:
    assert outcome(("WIR001",), ("OPT004", "info", 1), ("WIR001", "error", 2)).first == "WIR001"


def test_lines_are_read_from_the_finding_and_from_its_evidence() -> None:
    finding = {"line": "a/x.py:9", "evidence": {"made_on": "a/x.py:4", "other": "y.py:7", "classes": 10, "ratio": "1:2"}}
    assert run_all.lines_named(finding, "sick/x.py") == [9, 4]
    assert run_all.lines_named({"line": 3}, "sick/x.py") == [3]
    assert run_all.lines_named({"line": None}, "sick/x.py") == []


FAKE_RUNNER = """
import json, pathlib, sys
report, script = sys.argv[sys.argv.index("--json") + 1], pathlib.Path(sys.argv[-1])
manifest = json.loads((script.parents[1] / "manifest.json").read_text())["scripts"]
truth = {e["file"]: e for e in manifest}.get(f"{script.parent.name}/{script.name}", {"codes": [], "line": None})
findings = [
    {"code": c, "severity": "error", "rank": rank, "line": truth["line"]} for rank, c in enumerate(truth["codes"], 1)
]
if script.parent.name == "double": findings = findings[:1]
if script.parts[-2:] == ("twins", "seq_lstm_01.py"): findings = [{"code": "OPT001", "severity": "warning", "rank": 1}]
if script.parts[-2:] == ("twins", "seq_lstm_02.py"): sys.exit("went away")
pathlib.Path(report).write_text(json.dumps({"schema": "torchclinic.report/1", "findings": findings}))
"""


def test_run_all_scores_what_a_runner_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake = tmp_path / "fake.py"
    fake.write_text(FAKE_RUNNER)
    table = tmp_path / "table.md"
    code = run_all.main(["--runner", f"{sys.executable} {fake}", "--only", "seq_lstm", "--jobs", "2", "--out", str(table)])
    text = table.read_text()
    assert code == 0
    assert capsys.readouterr().out.strip() == text.strip()
    measures = dict(line.strip("| ").split(" | ", 1) for line in text.split("## kind")[0].splitlines() if " = " in line)
    sick = sum("seq_lstm" in e["file"] for e in of_role("sick"))
    assert measures["recall (the very code)"].startswith(f"{sick}/{sick} = 1.00")
    assert measures["first cause right, of all faults"].startswith(f"{sick}/{sick} = 1.00")
    assert measures["scripts with two faults: both named"].startswith("0/1")
    assert measures["false alarms, twin"].startswith(f"1/{sick}")
    assert "| twins/seq_lstm_02.py | twin |  | no report, exit code 1: went away |" in text


@pytest.mark.slow
@pytest.mark.mnist
@pytest.mark.parametrize("name", ["digits_mlp_06.py", "houses_mlp_05.py", "tabular_binary_03.py", "digits_mlp_16.py"])
def test_sample_behaves_as_recorded(name: str) -> None:
    entry = next(e for e in SCRIPTS if e["file"] == f"sick/{name}")
    for key, observed in (("file", "observed"), ("twin", "twin_observed")):
        command = [sys.executable, str(FAULTS / entry[key])]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
        assert done.returncode == entry[observed]["exit_code"]
        assert done.stdout.splitlines()[0].split()[:2] == entry[observed]["first"].split()[:2]
