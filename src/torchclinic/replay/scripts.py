"""Replays of an unmodified script in fresh processes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from torchclinic.errors import InputError
from torchclinic.replay.planning import SEEDS, Attempt, make_plan
from torchclinic.replay.trial import Trial
from torchclinic.replay.verdicts import Proof, weigh
from torchclinic.running.launcher import Target

FIRST_SHARE = 0.3  # of the budget that the first replay, which measures the others' cost, may take
START_SECONDS = 120.0  # for a process to load torch, on the slowest disk


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a script starts, as it was before it ran the first time."""

    target: Target
    folder: str
    environment: dict[str, str]

    @staticmethod
    def now(target: Target) -> "Surroundings":
        """
        Raises:
            InputError: this process is one of several ranks, is itself a replay, or cannot fork.
        """
        if "RANK" in os.environ:
            raise InputError("--prove runs a script again in one process; leave it out under torchrun (RANK is set).")
        if "TORCHCLINIC_PROVING" in os.environ:
            raise InputError("--prove cannot be used inside a replay (TORCHCLINIC_PROVING is set).")
        if not hasattr(os, "fork"):
            raise InputError("--prove needs a system on which processes can fork (Linux, macOS); leave it out here.")
        environment = {"MPLBACKEND": "Agg", **os.environ, "TORCHCLINIC_PROVING": "1"}
        if "PYTHONPATH" in environment:
            paths = [str(Path(path).resolve()) for path in environment["PYTHONPATH"].split(os.pathsep) if path]
            environment["PYTHONPATH"] = os.pathsep.join(paths)
        return Surroundings(target, str(Path.cwd()), environment)


@dataclass(frozen=True, slots=True)
class Proofs:
    """The outcome of a proof. `problem` says in a sentence why there is none."""

    proofs: tuple[Proof, ...] = ()
    replays: int = 0
    seeds: int = 0
    backwards: int = 0
    steps: int = 0
    seconds: float = 0.0
    left_out: tuple[str, ...] = ()
    problem: str = ""


class Stage:
    """Context manager: the process that forks replays (`replay.stage`)."""

    def __init__(self, around: Surroundings, width: int, written: Sequence[str]) -> None:
        self._around, self._width, self._written = around, width, list(written)

    def __enter__(self) -> "Stage":
        threads = str(max(1, (os.cpu_count() or 1) // self._width))
        root = str(Path(__file__).parents[2])  # last on the path: for a package that is found through the current folder
        code = f"import sys; sys.path.append({root!r}); from torchclinic.replay.stage import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self._around.folder,
            env={"OMP_NUM_THREADS": threads, **self._around.environment},
            start_new_session=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.terminate()
        self._process.communicate()

    def run(self, jobs: Sequence[dict[str, Any]], seconds: float, width: int) -> list[Trial]:
        """The trials of those `jobs` that `seconds` left time for, in their order; empty if the process died."""
        target = self._around.target
        request = {
            "name": target.name,
            "arguments": list(target.arguments),
            "is_module": target.is_module,
            "jobs": list(jobs),
            "width": width,
            "seconds": seconds,
            "written": self._written,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return []
        answer = self._process.stdout.readline()
        return [Trial.from_dict(entry) for entry in json.loads(answer)] if answer else []


def prove_script(
    around: Surroundings,
    attempts: Sequence[Attempt],
    *,
    seconds: float,
    written: Sequence[str] = (),
    unsaved: Sequence[str] = (),
    most: int | None = None,
    say: Callable[[str], None] = lambda text: None,
    width: int | None = None,
) -> Proofs:
    """Replay the script as it is and with each change, within about `seconds`, and weigh what was seen.

    The time to load torch in the process that forks the replays is part of it. `written` are the files that the script
    was seen to write, `unsaved` those of them that nobody puts back afterwards. No replay runs more than `most` backward
    passes.
    """
    width = width or max(1, min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))
    say(_announcement(around.target.name, len(attempts), seconds, written, unsaved))
    start = time.monotonic()
    with Stage(around, width, written) as stage:
        to_end = any(attempt.change.judged_by == "evaluation" for attempt in attempts)
        (first,) = stage.run([_job("", 0, most, FIRST_SHARE * seconds, to_end)], START_SECONDS, 1) or [
            Trial(note="it did not start")
        ]
        if first.reads_back or first.stale_reads:
            width = 1  # what a replay reads must not be what the one beside it is writing
        plan = make_plan(attempts, first, seconds - (time.monotonic() - start), width)
        if isinstance(plan, str):
            return Proofs(problem=plan, replays=1, seconds=time.monotonic() - start)
        left = seconds - (time.monotonic() - start)
        reusable = plan.backwards is None or not to_end  # its evaluation came later than that of shorter replays
        jobs = [
            _job(name, seed, plan.backwards or most, left, to_end)
            for seed in range(plan.seeds)
            for name in ("", *(attempt.change.name for attempt in plan.attempts))
            if name or seed or not reusable
        ]
        trials = [*([first] if reusable else []), *stage.run(jobs, left, width)]
    by_change: dict[str, dict[int, Trial]] = {}
    for trial in trials:
        by_change.setdefault(trial.change, {})[trial.seed] = trial
    as_is = by_change.get("", {})
    proofs = tuple(weigh(a.code, a.change, as_is, by_change.get(a.change.name, {})) for a in plan.attempts)
    backwards = plan.backwards or first.backwards
    steps = max((t.steps for t in trials if t is not first), default=first.steps)
    took = time.monotonic() - start
    return Proofs(proofs, len(trials), plan.seeds, backwards, steps, took, plan.left_out)


def _job(change: str, seed: int, backwards: int | None, seconds: float, to_end: bool) -> dict[str, Any]:
    return {"change": change, "seed": seed, "backwards": backwards, "seconds": seconds, "until_evaluation": to_end}


def _announcement(name: str, changes: int, seconds: float, written: Sequence[str], unsaved: Sequence[str]) -> str:
    if not written:
        writes = "It was not seen to write files."
    else:
        writes = f"It has been seen to write {_listed(written)}; each replay writes again"
        writes += f", and {_listed(unsaved)} will not be put back." if unsaved else ", then they are put back."
    return (
        f"proof by replay: {name} is run again up to {SEEDS * (changes + 1)} times within {seconds:.0f} s, "
        f"with TORCHCLINIC_PROVING=1 set. {writes}"
    )


def _listed(paths: Sequence[str]) -> str:
    return ", ".join(paths[:8]) + (f" and {len(paths) - 8} more" if len(paths) > 8 else "")
