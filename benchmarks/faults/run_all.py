"""How many of the faults does `torchclinic run` find, and does it keep quiet on healthy scripts?

    python benchmarks/faults/run_all.py --jobs 2 --split report --out faults.md

Each script of the manifest runs in a process of its own, watched by `python -m torchclinic run`. The findings it
writes are compared with the manifest. Shares are given with Wilson's 95 % interval.
"""

import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ALARMS = ("error", "warning")
NEAR_LINES = 3  # a finding that points this close to the recorded line leads the reader to the fault


@dataclass(frozen=True)
class Case:
    """One script to run and what is true of it; a healthy one has no codes."""

    file: str
    role: str
    codes: tuple[str, ...] = ()
    acceptable: tuple[str, ...] = ()
    kind: str | None = None
    split: str = "report"
    line: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What the tool said about one script. `problem` tells why there is no report."""

    case: Case
    findings: list[dict] = field(default_factory=list)
    problem: str = ""
    seconds: float = 0.0

    @property
    def alarms(self) -> list[dict]:
        return [f for f in self.findings if f.get("severity", "error") in ALARMS]

    @property
    def first(self) -> str | None:
        """The code on top: rank 1 among the alarms, or among all findings where none is an alarm."""
        ranked = sorted(self.alarms or self.findings, key=lambda f: f.get("rank") or math.inf)
        return ranked[0]["code"] if ranked else None

    @property
    def true_names(self) -> set[str]:
        return {*self.case.codes, *self.case.acceptable}

    @property
    def found(self) -> bool:
        return any(f["code"] in self.true_names for f in self.findings)

    @property
    def named(self) -> bool:
        """Every fault of the script is reported under its own code."""
        return set(self.case.codes) <= {f["code"] for f in self.findings}

    @property
    def first_is_right(self) -> bool:
        return self.first in self.true_names

    @property
    def localized(self) -> bool:
        here = self.case.line
        told = [n for f in self.findings if f["code"] in self.true_names for n in lines_named(f, self.case.file)]
        return here is not None and any(abs(n - here) <= NEAR_LINES for n in told)


def lines_named(finding: dict, file: str) -> list[int]:
    """The lines of the script a finding points at: its own, and those its evidence names as `path:line`."""
    line = finding.get("line")
    if isinstance(line, int):
        return [line]
    told = [line, *(finding.get("evidence") or {}).values()]
    places = [value.rpartition(":") for value in told if isinstance(value, str)]
    return [int(number) for path, _, number in places if number.isdigit() and Path(path).name == Path(file).name]


def wilson(hits: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval for a share (Wilson 1927, JASA 22:209)."""
    if total == 0:
        return 0.0, 1.0
    share = hits / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def read_cases(manifest: Path) -> list[Case]:
    """Every script of the manifest, the twins as healthy scripts of their own."""
    cases = []
    for entry in json.loads(manifest.read_text())["scripts"]:
        truth = (tuple(entry["codes"]), tuple(entry["acceptable"]), entry["kind"], entry["split"], entry["line"])
        cases.append(Case(entry["file"], entry["role"], *truth))
        if entry["twin"]:
            cases.append(Case(entry["twin"], "twin", split=entry["split"]))
    return cases


def watch(case: Case, runner: list[str], timeout: float) -> Outcome:
    """Run one script under the tool and read the findings it wrote."""
    start = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    problem, findings = "", []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [*runner, "--json", str(report), str(HERE / case.file)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, cwd=folder)
        except subprocess.TimeoutExpired:
            problem = f"no end after {timeout:.0f} s"
        else:
            if report.exists():
                findings = json.loads(report.read_text())["findings"]
            else:
                last = (done.stderr.strip().splitlines() or ["no output"])[-1]
                problem = f"no report, exit code {done.returncode}: {last[:120]}"
    return Outcome(case, findings, problem, time.perf_counter() - start)


def share(hits: int, total: int) -> str:
    low, high = wilson(hits, total)
    return f"{hits}/{total} = {hits / total:.2f} [{low:.2f}, {high:.2f}]" if total else "0/0"


def summarize(outcomes: Iterable[Outcome]) -> list[tuple[str, str]]:
    """The measures of a set of outcomes, each as (name, share with interval)."""
    outcomes = list(outcomes)
    sick = [o for o in outcomes if o.case.role == "sick"]
    double = [o for o in outcomes if o.case.role == "double"]
    spoken = [o for o in sick if o.first]
    with_line = [o for o in sick if o.found and o.case.line]
    rows = [
        ("recall (code or accepted name)", share(sum(o.found for o in sick), len(sick))),
        ("recall (the very code)", share(sum(o.named for o in sick), len(sick))),
        ("first cause right, of all faults", share(sum(o.first_is_right for o in sick), len(sick))),
        ("first-cause precision, of reports with findings", share(sum(o.first_is_right for o in spoken), len(spoken))),
        (
            f"line within {NEAR_LINES} of the fault, of those found",
            share(sum(o.localized for o in with_line), len(with_line)),
        ),
        ("scripts with two faults: both named", share(sum(o.named for o in double), len(double))),
    ]
    for role in ("twin", "healthy"):
        quiet = [o for o in outcomes if o.case.role == role]
        rows.append((f"false alarms, {role}", share(sum(bool(o.alarms) for o in quiet), len(quiet))))
    rows.append(("without a report", share(sum(bool(o.problem) for o in outcomes), len(outcomes))))
    return rows


def verdict(outcome: Outcome) -> str:
    if outcome.problem:
        return outcome.problem
    if not outcome.case.codes:
        return "FALSE ALARM" if outcome.alarms else "silent"
    if not outcome.found:
        return "MISSED"
    return "first cause" if outcome.first_is_right else "found, not first"


def render(outcomes: list[Outcome]) -> str:
    """The whole table as Markdown."""
    parts = ["# Faults found by `torchclinic run`", ""]
    groups = {"all": outcomes}
    for kind in ("exact", "probe", "window"):
        groups[f"kind {kind}"] = [o for o in outcomes if o.case.kind == kind]
    for split in ("tune", "report"):
        groups[f"split {split}"] = [o for o in outcomes if o.case.split == split]
    for name, members in groups.items():
        if members:
            parts += [f"## {name}", "", "| measure | share [95 % interval] |", "| --- | --- |"]
            parts += [f"| {measure} | {value} |" for measure, value in summarize(members) if value != "0/0"]
            parts.append("")
    parts += [
        "## Every script",
        "",
        "| script | truth | reported (rank order) | verdict | s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for o in outcomes:
        ranked = sorted(o.findings, key=lambda f: f.get("rank") or math.inf)
        told = " ".join(f["code"] + ("" if f.get("severity", "error") in ALARMS else "(info)") for f in ranked)
        truth = "+".join(o.case.codes) or o.case.role
        parts.append(f"| {o.case.file} | {truth} | {told} | {verdict(o)} | {o.seconds:.1f} |")
    return "\n".join(parts) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1, help="scripts run at the same time")
    parser.add_argument("--timeout", type=float, default=60, help="seconds per script")
    parser.add_argument("--split", choices=["tune", "report", "all"], default="all")
    parser.add_argument("--role", choices=["sick", "twin", "healthy", "double"], action="append")
    parser.add_argument("--only", default="", help="only files whose path contains this, or that carry this code")
    parser.add_argument("--runner", default=f"{shlex.quote(sys.executable)} -m torchclinic run --fail-on never")
    parser.add_argument("--manifest", type=Path, default=HERE / "manifest.json")
    parser.add_argument("--out", type=Path, help="write the Markdown table here as well")
    options = parser.parse_args(arguments)
    cases = [
        case
        for case in read_cases(options.manifest)
        if options.split in ("all", case.split)
        and (not options.role or case.role in options.role)
        and (options.only in case.file or options.only in case.codes)
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = []
        for outcome in pool.map(lambda case: watch(case, shlex.split(options.runner), options.timeout), cases):
            outcomes.append(outcome)
            print(f"{outcome.case.file:40} {outcome.first or '-':8} {verdict(outcome)}", file=sys.stderr, flush=True)
    table = render(outcomes)
    print(table)
    if options.out:
        options.out.write_text(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
