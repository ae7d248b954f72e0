"""Public training programs, plain and under `torchclinic run`: what is said about them?

    python benchmarks/wild/run.py --checkouts FOLDER                # every program of programs.toml
    python benchmarks/wild/run.py --checkouts FOLDER --only 'erik-*'  # those whose names match
    python benchmarks/wild/run.py --checkouts FOLDER --src ../other/src --out results.json

FOLDER holds one folder for each repository, named owner+name: a clone, or a git directory, also as `repo` or `repo/.git`
inside. TORCHCLINIC_DATA is the folder with MNIST, CIFAR-10 and the ants and bees. Each program is taken from its commit
into a temporary folder, cut as programs.toml says, and run twice in a process of its own, with the packages of
`stand_ins/` in front of the installed ones and the generators of random numbers at the same start.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
STAND_INS = HERE / "stand_ins"
TIMES = re.compile(
    r"\d+[\d.:]*(e[-+]?\d+)? ?(it/s|ms/batch|s/it|ms|secs?|seconds|mins?|s|m)\b|\d{4}-\d\d-\d\d[T ][\d:.]+|\d+:\d\d(:\d\d)?", re.I
)
CAUSES = 4000  # characters of an error's end that are kept


@dataclass(frozen=True)
class Program:
    """One entry of programs.toml."""

    name: str
    repository: str
    commit: str
    path: str
    folder: str = ""  # what is taken from the repository, and where the program runs; else the program's own folder
    arguments: list[str] = field(default_factory=list)
    replacements: list[list[str]] = field(default_factory=list)  # [old, new] in the program, [file, old, new] in another
    copies: list[list[str]] = field(default_factory=list)  # [from, to] within the folder
    prepare: list[list[str]] = field(default_factory=list)  # [kind, path], see stand_ins/prepare.py
    rows: str = "2000,500"
    stubs: list[str] = field(default_factory=list)
    varies: list[str] = field(default_factory=list)  # patterns of what differs from run to run (times)
    famous: bool = False
    limit: int = 90

    @property
    def place(self) -> str:
        """The folder within the repository; empty for all of it."""
        if self.folder:
            return self.folder.strip("./")
        return str(Path(self.path).parent).strip(".")

    @property
    def script(self) -> str:
        """The program's path within that folder."""
        return str(Path(self.path).relative_to(self.place)) if self.place else self.path


def programs(only: list[str]) -> list[Program]:
    """The entries of programs.toml whose names match one of the patterns `only`."""
    entries = tomllib.loads((HERE / "programs.toml").read_text(encoding="utf-8"))["program"]
    return [Program(**entry) for entry in entries if not only or any(fnmatch(entry["name"], pattern) for pattern in only)]


def git_directory(checkouts: Path, repository: str) -> Path:
    """Where the repository's git directory is."""
    base = checkouts / repository.replace("/", "+")
    for place in (base / ".git", base / "repo" / ".git", base / "repo", base):
        if (place / "objects").is_dir():
            return place
    raise FileNotFoundError(f"{base}: no git directory; fetch {repository} first")


def git(directory: Path, *words: str, given: bytes | None = None) -> bytes:
    """What a git command prints."""
    command = ["git", "-c", "safe.directory=*", f"--git-dir={directory}", *words]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def unpack(directory: Path, program: Program, target: Path) -> None:
    """The files of the program's folder at its commit; objects that a snapshot lacks are left out."""
    tree = f"{program.commit}:{program.place}"
    entries = [line.split("\t", 1) for line in git(directory, "ls-tree", "-r", "-z", tree).decode().split("\0") if line]
    files = [(meta.split()[2], path) for meta, path in entries if meta.split()[1] == "blob" and not meta.startswith("120000")]
    answer, at = git(directory, "cat-file", "--batch", given="\n".join(sha for sha, _ in files).encode()), 0
    for _, path in files:
        end = answer.index(b"\n", at)
        head, at = answer[at:end].split(), end + 1
        if head[1] == b"missing":
            continue
        size = int(head[2])
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(answer[at : at + size])
        at += size + 1


def cut(program: Program, target: Path) -> None:
    """Apply the replacements, copies and prepared files."""
    for *file, old, new in program.replacements:
        place = target / (file[0] if file else program.script)
        text = place.read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(f"{program.name}: {place.name} has no {old!r}")
        place.write_text(text.replace(old, new), encoding="utf-8")
    for source, copy in program.copies:
        (target / copy).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(target / source, target / copy)
    for kind, path in program.prepare:
        command = [sys.executable, str(STAND_INS / "prepare.py"), kind, path]
        subprocess.run(command, cwd=target, env=surroundings(program, None, target), check=True)


def surroundings(program: Program, src: Path | None, folder: Path) -> dict[str, str]:
    """The environment of a run: the stand-ins, the source of torchclinic, the program's folder, one thread, a seed."""
    places = [str(STAND_INS), *([str(src)] if src else []), str(folder)]
    fixed = {"OMP_NUM_THREADS": "1", "WILD_SEED": "1", "WILD_ROWS": program.rows, "PYTHONHASHSEED": "0", "COLUMNS": "100"}
    return {**os.environ, **fixed, "PYTHONPATH": os.pathsep.join(places), "PYTHONDONTWRITEBYTECODE": "1"}


def execute(command: list[str], folder: Path, environment: dict[str, str], limit: float) -> dict[str, Any]:
    """Run a command in a group of its own, which is ended at the limit."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        try:
            code: int | str = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = "limit"
        seconds = time.perf_counter() - began
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return {"code": code, "seconds": round(seconds, 1), "out": texts[0], "err": texts[1]}


def masked(text: str, varies: list[str]) -> list[str]:
    """Lines of output without the times in them."""
    for pattern in varies:
        text = re.sub(pattern, "~", text)
    return TIMES.sub("~", text).splitlines()


def in_fresh_folder(program: Program, directory: Path, command: list[str], src: Path | None) -> dict[str, Any]:
    """Unpack, cut and run once."""
    with tempfile.TemporaryDirectory(prefix="wild-") as name:
        target = Path(name) / "work"
        target.mkdir()
        unpack(directory, program, target)
        cut(program, target)
        return execute(command, target, surroundings(program, src, target), 2.0 * program.limit)


def measure(program: Program, checkouts: Path, src: Path, observed_only: bool) -> dict[str, Any]:
    """Both runs of one program."""
    directory = git_directory(checkouts, program.repository)
    words = [program.script, *program.arguments]
    with tempfile.TemporaryDirectory(prefix="wild-report-") as name:
        report = Path(name) / "report.json"
        watch = ["-m", "torchclinic", "run", "--fail-on", "never", "--json", str(report)]
        plain = None if observed_only else in_fresh_folder(program, directory, [sys.executable, *words], None)
        seen = in_fresh_folder(program, directory, [sys.executable, *watch, *words], src)
        told = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    result: dict[str, Any] = {"name": program.name, "repository": program.repository, "path": program.path}
    result |= {"famous": program.famous, "commit": program.commit, "stubs": program.stubs}
    if plain:
        lines = [masked(text, program.varies) for text in (plain["out"], seen["out"])]
        same = lines[0] == lines[1]
        result |= {"plain_code": plain["code"], "plain_seconds": plain["seconds"], "same_output": same}
        if not same:
            result["difference"] = next(
                (pair for pair in zip(*lines, strict=False) if pair[0] != pair[1]), [len(part) for part in lines]
            )
        if plain["code"] != 0:
            result["plain_error"] = plain["err"][-CAUSES:]
    keys = ("code", "severity", "message", "line", "where", "step", "rank")
    result |= {"code": seen["code"], "seconds": seen["seconds"], "summary": told.get("summary", "")}
    result["findings"] = [{key: finding[key] for key in keys} for finding in told.get("findings", [])]
    if seen["code"] != 0 or not told:
        result["error"] = seen["err"][-CAUSES:]
    result["output_end"] = seen["out"][-600:]
    return result


def row(result: dict[str, Any]) -> str:
    """A line of the table."""
    said = [f"{finding['severity']} {finding['code']} {finding['line']}" for finding in result["findings"]]
    words = ", ".join(text for text in said if not text.startswith("info")) or "-"
    same = {True: "same", False: "DIFFERS", None: "?"}[result.get("same_output")]
    return f"{result['name']:34} {result.get('plain_code')}/{result['code']} {result['seconds']:6.1f} s {same:8} {words}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkouts", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--src", type=Path, default=HERE.parents[1] / "src")
    parser.add_argument("--out", type=Path, default=Path("results.json"))
    parser.add_argument("--observed-only", action="store_true", help="leave the plain run out")
    parser.add_argument("--keep", action="store_true", help="keep the results in --out of programs that are not run")
    wanted = parser.parse_args()
    old = json.loads(wanted.out.read_text(encoding="utf-8")) if wanted.keep and wanted.out.exists() else []
    results = {result["name"]: result for result in old}
    for program in programs(wanted.only):
        try:
            result = measure(program, wanted.checkouts.resolve(), wanted.src.resolve(), wanted.observed_only)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            print(f"{program.name:34} not run: {error}", flush=True)
            continue
        print(row(result), flush=True)
        results[program.name] = result
        wanted.out.write_text(json.dumps(list(results.values()), indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
