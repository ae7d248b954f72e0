"""The same scripts under torchclinic, other tools, anomaly mode, and PyTorch alone.

    pip install --no-deps --target build/other torchmortem==0.1.1 torch-audit==0.3.0 torchdiag==0.1.0
    export TORCHCLINIC_DATA=/path/to/data
    python benchmarks/faults/compare.py run --other build/other --split report     # a line per script in results/
    python benchmarks/faults/compare.py run --tool torchclinic                      # only ours, every script
    python benchmarks/faults/compare.py table                                       # writes docs/fault-benchmark.md

Each script runs in a process of its own, forked from one that has PyTorch and the tool loaded, one at a time on one
thread: the seconds are processor time of the script with the tool, without the start of Python and PyTorch. `adapters.py`
says how each tool is attached and how its messages are read.
"""

import argparse
import importlib
import json
import os
import re
import runpy
import signal
import statistics
import sys
import tempfile
import time
import traceback
import warnings
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import adapters  # noqa: E402
import run_all  # noqa: E402

RESULTS = HERE / "results"
DOCUMENT = HERE.parents[1] / "docs" / "fault-benchmark.md"


# -- running ------------------------------------------------------------------------------------------------------------


def run_script(tool, path):
    """In the forked process: what was said, how it ended, and how long it took."""
    said = []

    def showwarning(text, category, filename, lineno, file=None, line=None):
        told = re.findall(rf"{re.escape(path.name)}\", line (\d+)", str(text))  # anomaly mode tells where in the text
        at = lineno if Path(filename).name == path.name else int(told[-1]) if told else None
        said.append(adapters.message(category.__name__, "warning", str(text).strip(), "", at))

    warnings.showwarning = showwarning
    sys.argv, sys.path[0] = [str(path)], str(path.parent)
    start, error, told = time.process_time(), "", []
    adapter = adapters.TOOLS[tool][2]()
    if tool == "torchclinic":
        told = adapter.run(path)
    else:
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as request:
            error = f"SystemExit: {request.code}" if request.code else ""
        except Exception as raised:
            frames = [f for f in traceback.extract_tb(raised.__traceback__) if Path(f.filename).name == path.name]
            error = f"{type(raised).__name__}: {raised}".partition("\n")[0][:240]
            line = frames[-1].lineno if frames else None
            said.append(adapters.message(type(raised).__name__, "error", str(raised), "", line))
        told = adapter.end()
    seconds = time.process_time() - start
    own = said if tool in ("pytorch", "anomaly") else []
    return {"messages": (told + own)[:40], "error": error, "seconds": round(seconds, 3)}


def fork(tool, path, timeout):
    with tempfile.TemporaryDirectory() as folder:
        answer, log = Path(folder, "answer.json"), Path(folder, "log.txt")
        pid = os.fork()
        if pid == 0:
            os.chdir(folder)
            file = log.open("w", buffering=1)
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            sys.stdout = sys.stderr = file
            try:
                answer.write_text(json.dumps(run_script(tool, path)))
            except BaseException:
                traceback.print_exc()
            finally:
                file.flush()
                os._exit(0)
        end = time.monotonic() + timeout
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return {"messages": [], "error": "", "problem": f"no end after {timeout:.0f} s", "seconds": timeout}
            time.sleep(0.01)
        last = (log.read_text(errors="replace").strip().splitlines() or ["no output"])[-1]
        if answer.exists():
            return {**json.loads(answer.read_text()), "last": last}
        return {"messages": [], "error": "", "problem": last[:160], "seconds": 0.0}


def run(options):
    if options.other:
        sys.path.append(str(options.other))
    import torch
    import torch._dynamo  # which the first optimizer loads, in seconds

    torch.set_num_threads(1)
    options.results.mkdir(exist_ok=True)
    cases = [c for c in run_all.read_cases(HERE / "manifest.json") if options.split in ("all", c.split)]
    cases = [c for c in cases if (not options.role or c.role in options.role) and re.search(options.only, c.file)]
    for tool in options.tool or [name for name in adapters.TOOLS if name != "torchclinic"]:
        distribution, modules, _ = adapters.TOOLS[tool]
        for module in modules:
            importlib.import_module(module)
        if tool == "torchclinic":
            from torchclinic.rules.rule import discover

            discover()
        file = options.results / f"{tool}.jsonl"
        known = read_results(tool, options.results) if file.exists() else {}
        again = {case.file for case in cases} if options.fresh else set()
        known = {name: row for name, row in known.items() if "problem" not in row and name not in again}
        for case in cases:
            if case.file in known:
                continue
            outcome = fork(tool, HERE / case.file, options.timeout)
            known[case.file] = {"file": case.file, "version": version(distribution), **outcome}
            first = next((m["id"] for m in outcome["messages"]), "-")
            print(f"{tool:12} {case.file:36} {outcome['seconds']:6.2f} s  {first}", file=sys.stderr, flush=True)
            file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in known.values()))


def read_results(tool, folder=RESULTS):
    lines = (folder / f"{tool}.jsonl").read_text().splitlines()
    return {row["file"]: row for row in map(json.loads, lines)}


# -- scoring ------------------------------------------------------------------------------------------------------------


class Scored:
    """What one tool said about one script, against the truth."""

    def __init__(self, tool, case, row):
        self.case, self.row, self.messages = case, row, row["messages"]
        self.alarms = [m for m in self.messages if m["severity"] != "info"]
        true = {*case.codes, *case.acceptable}
        self.right = [m for m in self.messages if adapters.meant(tool, m) & true]
        self.named = set(case.codes) <= {c for m in self.messages for c in adapters.meant(tool, m)}
        first = next(iter(self.alarms or self.messages), None)
        self.first = bool(first) and bool(adapters.meant(tool, first) & true)
        self.placed = any(m["module"] or m["line"] for m in self.right)
        lines = [n for m in self.right for n in (m.get("lines") or [m["line"]]) if n]
        self.near = any(abs(n - (case.line or -99)) <= run_all.NEAR_LINES for n in lines)
        self.serious = [m for m in self.alarms if not adapters.ADVICE.match(m["id"])]


def score(tool, cases):
    results = read_results(tool)
    return [Scored(tool, case, results[case.file]) for case in cases if case.file in results]


def cost(tool, cases):
    """Seconds with the tool over seconds without, per healthy script or twin that both ran to the end."""
    beside = f"pytorch-beside-{tool}"
    plain, ours = read_results(beside if (RESULTS / f"{beside}.jsonl").exists() else "pytorch"), read_results(tool)
    pairs = [(ours[c.file], plain[c.file]) for c in cases if c.role in ("twin", "healthy")
             and c.file in ours and c.file in plain]
    return [a["seconds"] / b["seconds"] for a, b in pairs if not a["error"] and not a.get("problem")]


def measures(tool, cases):
    scored = score(tool, cases)
    sick = [s for s in scored if s.case.role == "sick"]
    found = [s for s in sick if s.right]
    loud = [s for s in sick if s.messages]
    plain = read_results("pytorch")
    ratios = cost(tool, cases)
    broke = sum(bool(s.row["error"] and not plain.get(s.case.file, s.row)["error"]) for s in scored) + sum(
        bool(s.row.get("problem")) for s in scored
    )
    share = run_all.share
    both = [s for s in scored if s.case.role == "double"]
    lines = {
        "recall: the fault, or a direct consequence of it, is named": share(len(found), len(sick)),
        "recall: the fault itself is named": share(sum(s.named for s in sick), len(sick)),
        "first message is right, of all faults": share(sum(s.first for s in sick), len(sick)),
        "first message is right, of scripts with a message": share(sum(s.first for s in loud), len(loud)),
        "names a line or module, of those found": share(sum(s.placed for s in found), len(found)),
        f"line within {run_all.NEAR_LINES} of the fault, of those found": share(sum(s.near for s in found), len(found)),
        "two faults: both named": share(sum(s.named for s in both), len(both)),
    }
    for role, name in (("twin", "repaired twins"), ("healthy", "healthy scripts")):
        quiet = [s for s in scored if s.case.role == role]
        lines[f"false alarms on {name}"] = share(sum(bool(s.alarms) for s in quiet), len(quiet))
        lines[f"… without advice on speed and style, {name}"] = share(sum(bool(s.serious) for s in quiet), len(quiet))
    lines["script raised or ended only because of the tool"] = f"{broke} of {len(scored)}"
    lines["time against the plain script, median (90th percentile)"] = (
        f"× {statistics.median(ratios):.2f} (× {statistics.quantiles(ratios, n=10)[-1]:.2f})" if len(ratios) > 1 else ""
    )
    return lines


def table(options):
    tools = [tool for tool in adapters.TOOLS if (RESULTS / f"{tool}.jsonl").exists()]
    cases = run_all.read_cases(HERE / "manifest.json")
    versions = {tool: sorted({row["version"] for row in read_results(tool).values()}) for tool in tools}
    names = {"anomaly": "set_detect_anomaly", "pytorch": "PyTorch alone"}
    heads = [f"{names.get(tool, tool)} {', '.join(versions[tool])}" for tool in tools]
    parts = [HEAD.strip(), ""]
    for split in ("report", "tune"):
        chosen = [case for case in cases if case.split == split]
        columns = [measures(tool, chosen) if score(tool, chosen) else {} for tool in tools]
        shown = [(head, column) for head, column in zip(heads, columns, strict=True) if column]
        if not shown:
            continue
        parts += [f"## Scripts of the `{split}` part", "", "| measure | " + " | ".join(h for h, _ in shown) + " |",
                  "| --- |" + " --- |" * len(shown)]
        parts += [f"| {name} | " + " | ".join(c[name] for _, c in shown) + " |" for name in shown[0][1]]
        parts.append("")
    parts += ["## Script by script", "", "What came first; **bold** = it names the fault. `torchclinic rules CODE` explains "
              "a code. Of the twins and healthy scripts, those on which some tool gave an alarm.", "",
              "| script | truth | " + " | ".join(tools) + " |", "| --- | --- |" + " --- |" * len(tools)]
    for case in cases:
        told = [score(tool, [case]) for tool in tools]
        if any(told) and (case.codes or any(t and t[0].serious for t in told)):
            cells = [cell(t[0]) if t else "not run" for t in told]
            parts.append(f"| {case.file} | {'+'.join(case.codes) or case.role} | " + " | ".join(cells) + " |")
    DOCUMENT.write_text("\n".join(parts) + "\n")
    print("\n".join(parts[: parts.index("## Script by script")]))


def cell(scored):
    shown = next(iter(scored.right if scored.right and not scored.first else scored.alarms or scored.messages), None)
    if scored.row.get("problem"):
        return "failed"
    if shown is None:
        return "—"
    text = shown["id"].split(": ")[-1].split(" in ")[0].replace("|", "/")
    mark = "" if shown["severity"] != "info" else " (info)"
    right = any(shown is m for m in scored.right)
    return f"**{text}**{mark}{'' if scored.first else ' (not first)'}" if right else f"{text}{mark}"


HEAD = """
# A benchmark of faults: the table

Generated by `python benchmarks/faults/compare.py table` from the results in `benchmarks/faults/results/`, which
`python benchmarks/faults/compare.py run` writes; [its README](../benchmarks/faults/README.md) says what the scripts are.

Every script has exactly one known fault, or none. The thresholds of torchclinic's rules were chosen on the `tune` part
only; the `report` part holds other families of architectures. But what was missed in the `report` part was known when
the last rules were written: a clean estimate needs scripts that are still unseen. Intervals are Wilson's 95 %.
torchclinic's rows, and the plain runs that its time is divided by, are later than those of the other tools; on another day of
the same machine a script takes half as long again, so times of different columns are comparable as ratios only.

How it was run: each script in a process forked from one that had PyTorch and the tool loaded, one at a time, one thread;
times are processor time, because the machine had other work, which still makes differences of a tenth meaningless. The
scripts take about half a second of it: what a tool does once, first looks and the report, weighs more than in a long run.
How each tool was attached from outside, and which of its messages count as naming which fault, is in
`benchmarks/faults/adapters.py`; the reading is generous: whatever a message could be understood to name counts as named,
and a message of severity *info* counts too. A false alarm is any message above *info* on a script that has no fault, with
the severities the tool itself gives; torch-audit's advice on speed and style is also left out in a second count.
torch-audit ran at `every_n_steps=1`, which finds most and costs most. That `set_detect_anomaly` ends a script is how it
speaks; its warning and its error count as one finding.

In ten of the scripts the fault costs no accuracy in a run this short, but memory, time, a skipped rate, or nothing yet
(`chars_gru_02`, `digits_cnn_14`, `digits_autoencoder_03`, `digits_mlp_10`, `seq_gru_03`, `digits_mlp_02`, `tokens_transformer_01`,
`digits_mlp_09`, `digits_cnn_07`, `tokens_transformer_02`); what each script prints with and without its fault is in the manifest.

What the table does not say: the scripts were written for this project, with its catalogue of faults in mind. The other
tools look for a few diseases only (dead, vanishing, exploding, stuck), and a low recall here is mostly a matter of what
they do not look for.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("--tool", action="append", choices=list(adapters.TOOLS))
    running.add_argument("--other", type=Path, help="folder with the other tools, installed without their dependencies")
    running.add_argument("--split", choices=["tune", "report", "all"], default="all")
    running.add_argument("--role", choices=["sick", "twin", "healthy", "double"], action="append")
    running.add_argument("--only", default="", help="only files in whose path this pattern is found")
    running.add_argument("--timeout", type=float, default=400, help="wall-clock seconds per script")
    running.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    running.add_argument("--fresh", action="store_true", help="run the chosen scripts again, though results/ has them")
    running.set_defaults(act=run)
    commands.add_parser("table").set_defaults(act=table)
    options = parser.parse_args()
    options.act(options)


if __name__ == "__main__":
    main()
