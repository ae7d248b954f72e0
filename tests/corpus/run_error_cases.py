"""Runs every case of one kind, as it stands and with its fix, and writes what each run raised as JSON to stdout.

A case runs in a child that is forked after torch was imported: a hundred cases cost one import, and none sees another.
"""

import json
import os
import runpy
import signal
import sys
import tempfile
import tomllib
import traceback
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # the first optimizer imports it: once here, not once a case

SECONDS = 60
Raised = dict[str, Any] | None


def innermost_line(error: BaseException, script: Path) -> int | None:
    """The line of `script` in the innermost of its frames; None where the error passed none of them."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(script)]
    return lines[-1] if lines else None


def raised_by(script: Path) -> Raised:
    """What the script raises: the type's name, the message and the line; None if it finishes."""
    try:
        runpy.run_path(str(script), run_name="__main__")
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the answer
        return {"error": type(error).__name__, "message": str(error), "line": innermost_line(error, script)}
    return None


def silence() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def run_in_child(script: Path, result: Path) -> Raised:
    """`raised_by` in a forked process. A file brings the result back: a worker left behind would hold a pipe open."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        silence()
        result.write_text(json.dumps(raised_by(script)))
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        return {"error": "process", "message": f"ended with {status}", "line": None}
    return json.loads(result.read_text())


def with_fix(text: str, fix: list[tuple[int, str]]) -> str:
    """The script with the lines of its fix in place of its own."""
    lines = text.splitlines()
    for number, new in fix:
        lines[number - 1] = new
    return "\n".join(lines) + "\n"


def run_kind(folder: Path, only: list[str]) -> dict[str, dict[str, Raised]]:
    """Per case of the folder: what its script raises, and what it raises once it is repaired."""
    answers = tomllib.loads((folder / "answers.toml").read_text())
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        repaired, result = Path(scratch, "repaired"), Path(scratch, "result.json")
        repaired.mkdir()
        for script in sorted(folder.glob("*.py")):
            if only and script.stem not in only:
                continue
            found[script.stem] = {"raised": run_in_child(script, result)}
            fix = answers.get(script.stem, {}).get("fix")
            if fix is not None:
                copy = repaired / script.name
                copy.write_text(with_fix(script.read_text(), fix))
                found[script.stem]["repaired"] = run_in_child(copy, result)
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.stdout.write(json.dumps(run_kind(Path(sys.argv[1]).resolve(), sys.argv[2:]), indent=1) + "\n")
