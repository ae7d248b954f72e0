"""The process in which scripts are replayed: it has torch loaded, and forks a fresh child for each replay.

`main` reads one request per line from stdin and answers each with one line on what was its stdout. What scripts print goes
nowhere. Each child leads a process group of its own, which is ended as a whole: with its loader workers, on time.
"""

import json
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from torchclinic.errors import InputError
from torchclinic.observe.taps.patches import Patches
from torchclinic.replay.bench import Bench, Enough
from torchclinic.replay.change import changes, make
from torchclinic.replay.reseeding import reseed
from torchclinic.replay.trial import Trial
from torchclinic.replay.written_files import watch_files
from torchclinic.running.launcher import Target, as_main

GRACE_SECONDS = 3.0  # a replay stops itself at its limit; one that hangs is ended so much later
POLL_SECONDS = 0.02


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_RDWR)
    requests = os.fdopen(os.dup(0), "r")
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    changes()
    _warm_up()
    signal.signal(signal.SIGTERM, _end_all)
    for line in requests:
        request = json.loads(line)
        target = Target(request["name"], tuple(request["arguments"]), request["is_module"])
        trials = _perform(target, request)
        answers.write(json.dumps([trial.to_dict() for trial in trials]) + "\n")
        answers.flush()


def _warm_up() -> None:
    """The first optimizer of a process imports the compiler: once here, instead of in each child."""
    weight = torch.zeros(2, requires_grad=True)
    weight.grad = torch.zeros(2)
    torch.optim.Adam([weight]).step()


_running: dict[int, tuple[dict[str, Any], Path, float]] = {}  # pid -> job, file of the result, when it must be over


def _end_all(number: int = 0, frame: object = None) -> None:
    for pid in _running:
        _end_group(pid)
    os._exit(1)


def _end_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _perform(target: Target, request: dict[str, Any]) -> list[Trial]:
    """The trials of a request's jobs, in their order; jobs that the deadline leaves no time for are left out."""
    deadline = time.monotonic() + request["seconds"]
    waiting, done = list(enumerate(request["jobs"])), {}
    parent = os.getppid()
    with tempfile.TemporaryDirectory() as folder:
        while waiting or _running:
            while waiting and len(_running) < request["width"] and time.monotonic() < deadline:
                index, job = waiting.pop(0)
                job = {**job, "index": index, "written": request["written"]}
                job["seconds"] = min(job["seconds"], max(0.5, deadline - time.monotonic()))
                _start(target, job, Path(folder, f"{index}.json"))
            for job, trial in _collect():
                done[job["index"]] = trial
            if os.getppid() != parent:
                _end_all()
            if time.monotonic() >= deadline:
                waiting.clear()
            time.sleep(POLL_SECONDS)
    return [done[index] for index in sorted(done)]


def _start(target: Target, job: dict[str, Any], file: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            replay(target, job, file)
        finally:
            os._exit(0)
    _running[pid] = job, file, time.monotonic() + job["seconds"] + GRACE_SECONDS


def _collect() -> list[tuple[dict[str, Any], Trial]]:
    found = []
    for pid, (job, file, limit) in list(_running.items()):
        ended, status = os.waitpid(pid, os.WNOHANG)
        late = not ended and time.monotonic() > limit
        if late:
            _end_group(pid)
            _, status = os.waitpid(pid, 0)
        if not ended and not late:
            continue
        _end_group(pid)
        del _running[pid]
        if file.exists():
            trial = Trial.from_dict(json.loads(file.read_text()))
        else:
            code = os.waitstatus_to_exitcode(status)
            note = f"no end after {job['seconds']:.0f} s" if late else f"the process ended with exit code {code}"
            trial = Trial(ending="time" if late else "killed", note=note)
        trial.change, trial.seed = job["change"], job["seed"]
        found.append((job, trial))
    return found


def replay(target: Target, job: dict[str, Any], file: Path) -> None:
    """Run the script once, in this process, and write what it showed to `file`."""

    def deliver() -> None:
        temporary = file.with_suffix(".part")
        temporary.write_text(json.dumps(bench.trial.to_dict()))
        temporary.replace(file)

    def stop() -> None:
        deliver()
        os._exit(0)

    bench = Bench(
        make(job["change"]),
        most_backwards=job["backwards"],
        seconds=job["seconds"],
        until_evaluation=job["until_evaluation"],
        on_stop=stop,
    )
    watch_files(job["written"], bench.trial)
    reseed(job["seed"], Patches())
    _run(target, bench)
    deliver()


def _run(target: Target, bench: Bench) -> None:
    trial = bench.trial
    try:
        code, filename, folder = target.code()
        with as_main(filename, folder, target.arguments) as names, bench:
            exec(code, names)
    except InputError as error:
        trial.ending, trial.note = "raised", str(error)
    except Enough:
        pass
    except SystemExit as request:
        trial.ending, trial.note = "exited", f"the script exited with {request.code}" if request.code else ""
    except BaseException as error:  # noqa: BLE001 - whatever the script raises ends the replay
        first = (str(error).splitlines() or [""])[0]
        trial.ending, trial.note = "raised", f"{type(error).__name__}: {first}"
