"""What `torchclinic run` finds in every specimen and every script of the benchmark of faults, and what two versions differ in.

    python benchmarks/findings.py write before.json          # with one version installed, or on PYTHONPATH
    python benchmarks/findings.py write after.json           # with the other
    python benchmarks/findings.py compare before.json after.json

Compared are codes, their order and causes, places, lines, steps and evidence, and which rules were checked; not the wording.
The budget of the observation is lifted and no report is made in between, so that no clock decides what is looked
at when. Each script runs in a process forked from one that has PyTorch loaded, on one thread.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import pkgutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
FAULTS = Path(__file__).resolve().parent / "faults"
COMPARED = ("code", "severity", "where", "line", "step", "evidence", "rank", "causes")


def scripts(folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """Name, file, and whether it runs as several ranks (those are left out: two processes never agree on a clock)."""
    from torchclinic.rules.rule import discover

    for module in discover():
        for kind in ("sick", "healthy"):
            specimen = getattr(module, kind)()
            file = folder / f"{module.RULE.code.lower()}_{kind}.py"
            file.write_text(specimen.script)
            yield file.stem, file, specimen.ranks > 1
    for entry in json.loads((FAULTS / "manifest.json").read_text())["scripts"]:
        for name in filter(None, (entry["file"], entry["twin"])):
            yield name, FAULTS / name, False


def lift_budget() -> None:
    """Observe whatever the schedule asks for, however long it takes."""
    import torchclinic.observe

    for info in pkgutil.walk_packages(torchclinic.observe.__path__, "torchclinic.observe."):
        if info.name.endswith(".budget"):
            budget = importlib.import_module(info.name).Budget
            budget.allows = budget.allows_sampling = lambda self: True


def tell_nothing() -> None:
    """A report in between reads the statistics of layers, and so divides them otherwise."""
    for name in ("torchclinic.running.last_word", "torchclinic.last_word"):  # where it stands, and where it stood
        with contextlib.suppress(ImportError):
            importlib.import_module(name).LastWord.due = lambda self: False


def report_of(file: Path) -> dict:
    """The report of one script, from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        pid = os.fork()
        if pid == 0:
            os.chdir(folder)
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
                from torchclinic.cli.main import main

                sys.argv = ["torchclinic", "run", "--fail-on", "never", "--json", "report.json", str(file)]
                with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
                    main()
            os._exit(0)
        os.waitpid(pid, 0)
        report = Path(folder, "report.json")
        if not report.exists():
            return {"findings": [], "checked": [], "not_checked": ["no report"]}
        return json.loads(report.read_text())


def write(out: Path, only: str) -> None:
    import torch

    import torchclinic.cli.main
    import torchclinic.cli.run  # noqa: F401  loaded once, for all forks

    torch.set_num_threads(1)
    lift_budget()
    tell_nothing()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, file, several in scripts(Path(folder)):
            if several or only not in name:
                continue
            report = report_of(file)
            found[name] = {
                "findings": [{key: plain(finding.get(key), file) for key in COMPARED} for finding in report["findings"]],
                "checked": report["checked"],
                "not_checked": [item["code"] if isinstance(item, dict) else item for item in report["not_checked"]],
            }
            print(f"{name:40} {' '.join(finding['code'] for finding in report['findings'])}", flush=True)
    out.write_text(json.dumps(found, indent=1))


def plain(value: object, file: Path) -> object:
    """Without the folder of the script, and numbers to six digits: sums of floats may be ordered otherwise."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: plain(item, file) for key, item in value.items()}
    return value.replace(str(file.parent) + "/", "") if isinstance(value, str) else value


def compare(before: Path, after: Path) -> int:
    """Print every difference; the exit code is 1 if there is one."""
    old, new = json.loads(before.read_text()), json.loads(after.read_text())
    differing = 0
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            differing += 1
            print(f"-- {name}")
            for key in ("findings", "checked", "not_checked"):
                was, now = ([*(side.get(name) or {}).get(key, [])] for side in (old, new))
                for sign, items, others in (("-", was, now), ("+", now, was)):
                    for item in items:
                        if item not in others:
                            print(f"   {sign} {key}: {item}")
                if was != now and sorted(map(str, was)) == sorted(map(str, now)):
                    print(f"   {key}: the order differs")
    print(f"{len(old)} scripts before, {len(new)} after, {differing} differ")
    return int(differing > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("write")
    one.add_argument("out", type=Path)
    one.add_argument("--only", default="", help="only scripts whose name contains this")
    two = commands.add_parser("compare")
    two.add_argument("before", type=Path)
    two.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.command == "compare":
        return compare(options.before, options.after)
    write(options.out.absolute(), options.only)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
