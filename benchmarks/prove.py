"""How many of the benchmark's faults does a replay prove, and is a sham remedy ever confirmed?

    python benchmarks/prove.py --split report --shams 10 --out proofs.md

Each script of `faults/manifest.json` whose fault has a remedy runs under `torchclinic run --prove`. Then, on `--shams` of the
scripts, changes that change nothing that matters are tried in the same way: none may be confirmed. The shares come with
Wilson's 95 % interval; the seconds are those of the whole command, and of the replays alone.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "faults"))

from run_all import HERE, share

from torchclinic.replay.change import changes, remedies
from torchclinic.replay.planning import Attempt
from torchclinic.replay.scripts import Surroundings, prove_script
from torchclinic.running.launcher import Target

NOISE = "sham-other-numbers"  # the sham that does move the scores


@dataclass
class Row:
    """What the proof said about one script."""

    file: str
    codes: tuple[str, ...]
    found: bool = False
    proofs: list[dict] = field(default_factory=list)  # those for the script's own fault
    replay: dict = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    problem: str = ""

    @property
    def confirmed(self) -> bool:
        return any(proof["verdict"] == "confirmed" for proof in self.proofs)

    @property
    def told(self) -> str:
        if self.problem or not self.proofs:
            return self.problem or ("not found" if not self.found else self.replay.get("problem") or "not tried")
        return "; ".join(f"{p['change']}: {p['verdict']} ({_effect(p)})" for p in self.proofs)


def _effect(proof: dict) -> str:
    if proof["effect"] is None:
        return proof["reason"]
    return f"{proof['effect']:+.3f} ± {proof['high'] - proof['effect']:.3f}, {len(proof['seeds'])} seeds"


def scripts(split: str, only: str) -> list[dict]:
    """Scripts with one fault that has a remedy of its own."""
    entries = json.loads((HERE / "manifest.json").read_text())["scripts"]
    return [
        entry
        for entry in entries
        if entry["role"] == "sick"
        and split in ("all", entry["split"])
        and only in entry["file"]
        and any(remedies(code) for code in entry["codes"])
    ]


def prove(entry: dict, seconds: float) -> Row:
    """`torchclinic run --prove` on one script."""
    names = {*entry["codes"], *entry["acceptable"]}
    row = Row(entry["file"], tuple(entry["codes"]))
    start, used = time.perf_counter(), _children_seconds()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "torchclinic", "run", "--prove", "--prove-seconds", str(seconds)]
        command += ["--fail-on", "never", "--json", str(report), str(HERE / entry["file"])]
        try:
            subprocess.run(command, capture_output=True, timeout=seconds + 240, cwd=folder)
        except subprocess.TimeoutExpired:
            row.problem = "no end"
        if report.exists():
            content = json.loads(report.read_text())
            row.found = bool(names & {finding["code"] for finding in content["findings"]})
            row.proofs = [proof for proof in content.get("proofs", []) if proof["code"] in names]
            row.replay = content.get("replay", {})
    row.seconds, row.cpu_seconds = time.perf_counter() - start, _children_seconds() - used
    return row


def _children_seconds() -> float:
    """Processor time of all processes that were started and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def try_shams(entry: dict, seconds: float, second: str) -> list[tuple[str, str, str]]:
    """(file, sham, verdict with effect) of two shams on one script."""
    around = Surroundings.now(Target(str(HERE / entry["file"])))
    found = prove_script(around, [Attempt("", changes()[name]) for name in (NOISE, second)], seconds=seconds)
    if found.problem:
        return [(entry["file"], NOISE, found.problem)]
    return [(entry["file"], p.change, f"{p.verdict} ({_effect(p.to_dict())})") for p in found.proofs]


def render(rows: list[Row], shams: list[tuple[str, str, str]]) -> str:
    found = [row for row in rows if row.found]
    tried = [row for row in found if any(proof["verdict"] != "could not be tried" for proof in row.proofs)]
    valid = [sham for sham in shams if sham[2].startswith(("confirmed", "not confirmed", "made it worse"))]
    times = sorted(row.seconds for row in rows) or [0.0]
    cpu = sorted(row.cpu_seconds for row in rows) or [0.0]
    replays = sorted(row.replay.get("seconds", 0.0) for row in found) or [0.0]
    lines = [
        "# Faults proved by replay",
        "",
        "| measure | value |",
        "| --- | --- |",
        f"| findings with a remedy that were confirmed | {share(sum(r.confirmed for r in found), len(found))} |",
        f"| of those that could be tried | {share(sum(r.confirmed for r in tried), len(tried))} |",
        f"| scripts whose fault was found | {share(len(found), len(rows))} |",
        f"| sham changes confirmed | {share(sum(s[2].startswith('confirmed') for s in valid), len(valid))} |",
        f"| seconds per script, whole command: median, largest | {times[len(times) // 2]:.0f}, {times[-1]:.0f} |",
        f"| processor seconds per script: median, largest | {cpu[len(cpu) // 2]:.0f}, {cpu[-1]:.0f} |",
        f"| seconds of the replays: median, largest | {replays[len(replays) // 2]:.0f}, {replays[-1]:.0f} |",
        f"| cores, load when it ended | {os.cpu_count()}, {os.getloadavg()[0]:.1f} |",
        "",
        "| script | fault | proof | s | processor s |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {r.file} | {'+'.join(r.codes)} | {r.told} | {r.seconds:.0f} | {r.cpu_seconds:.0f} |" for r in rows]
    lines += ["", "| script | sham | verdict |", "| --- | --- | --- |"]
    lines += [f"| {file} | {sham} | {told} |" for file, sham, told in shams]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", choices=["tune", "report", "all"], default="all")
    parser.add_argument("--only", default="", help="only files whose path contains this")
    parser.add_argument("--seconds", type=float, default=50, help="for the replays of one script")
    parser.add_argument("--shams", type=int, default=10, help="scripts on which shams are tried")
    parser.add_argument("--no-proofs", action="store_true", help="shams only")
    parser.add_argument("--out", type=Path, help="write the Markdown table here as well, after every script")
    options = parser.parse_args(arguments)
    chosen = scripts(options.split, options.only)
    rows: list[Row] = []
    shams: list[tuple[str, str, str]] = []

    def save() -> None:
        if options.out:
            options.out.write_text(render(rows, shams))

    for entry in [] if options.no_proofs else chosen:
        rows.append(prove(entry, options.seconds))
        print(f"{rows[-1].file:32} {'+'.join(rows[-1].codes):8} {rows[-1].seconds:4.0f} s  {rows[-1].told}", flush=True)
        save()
    others = ["sham-clear-twice", "sham-identity", "sham-same-rate"]
    for number, entry in enumerate(chosen[: options.shams]):
        shams += try_shams(entry, options.seconds, others[number % len(others)])
        print(*(f"{file:32} {sham}: {told}" for file, sham, told in shams[-2:]), sep="\n", flush=True)
        save()
    print(render(rows, shams))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
