"""Runs a script in a process of its own, observed at every step, and reports what it did.

`python -m torchclinic.exercises.observation SCRIPT ANSWER` is that process: it writes an `Observation` as JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchclinic.errors import InputError

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

TIMEOUT = 180.0  # seconds; the scripts take about two
ALARMS = ("error", "warning")


@dataclass(frozen=True, slots=True)
class Observation:
    """What a script did, and what was found wrong with it."""

    ending: str  # finished | exited | raised | ...
    note: str  # what it raised, and where
    findings: tuple[dict[str, Any], ...]
    fine: tuple[str, ...]  # codes that were checked and found fine
    losses: tuple[float, ...]  # at each backward pass
    steps: int
    backwards: int
    trained: int  # numbers that went into a model with gradients enabled
    fed: int  # numbers that went into a model at all

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(finding["code"] for finding in self.findings)

    @property
    def alarms(self) -> frozenset[str]:
        return frozenset(finding["code"] for finding in self.findings if finding["severity"] in ALARMS)


def observe(sources: Mapping[str, str]) -> dict[str, Observation]:
    """Run every script of `sources`, side by side, equal ones once; each has `exercise.py` for its file name.

    Raises:
        InputError: a script has no end, or its process went away without a word.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = {source: name for name, source in sources.items()}
        running = {name: _start(Path(folder, name), source) for source, name in names.items()}
        try:
            seen = {name: _wait(name, process, Path(folder, name)) for name, process in running.items()}
            return {name: seen[names[source]] for name, source in sources.items()}
        finally:
            for process in running.values():
                process.kill()
                process.wait()


def _start(folder: Path, source: str) -> "subprocess.Popen[bytes]":
    folder.mkdir()
    (folder / "exercise.py").write_text(source, "utf8")
    command = [sys.executable, "-m", __name__, "exercise.py", "answer.json"]
    package = Path(__file__).resolve().parents[2]
    paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    with (folder / "output.txt").open("wb") as output:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )


def _wait(name: str, process: "subprocess.Popen[bytes]", folder: Path) -> Observation:
    try:
        process.wait(TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"The {name} script did not end within {TIMEOUT:.0f} seconds.") from error
    try:
        return read_answer(folder / "answer.json")
    except (OSError, ValueError) as error:
        said = (folder / "output.txt").read_text("utf8", errors="replace").strip().splitlines()
        last = f": {said[-1]}" if said else ""
        raise InputError(f"The {name} script ended its process (exit code {process.returncode}){last}.") from error


def read_answer(path: Path) -> Observation:
    answer = json.loads(path.read_text("utf8"))
    lists = {key: tuple(answer[key]) for key in ("findings", "fine", "losses")}
    return Observation(**{**answer, **lists})


# -- in the process of the script ---------------------------------------------------------------------------------------


class Meter:
    """Counts the numbers that the script puts into its outermost modules with parameters."""

    def __init__(self, session: "Session") -> None:
        self.trained = self.fed = 0
        self._session = session
        self._depth = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        import torch
        from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

        def enter(module: Any, inputs: tuple[Any, ...]) -> None:
            self._depth += 1
            if self._depth == 1 and not self._session.state.clock.quiet and any(True for _ in module.parameters()):
                size = next((value.numel() for value in inputs if isinstance(value, torch.Tensor)), 0)
                self.fed += size
                self.trained += size * torch.is_grad_enabled()

        def leave(*_: Any) -> None:
            self._depth -= 1

        handles = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave, always_call=True)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def main(script: str, answer: str) -> None:
    from torchclinic.diagnosis.diagnose import diagnose
    from torchclinic.observe.session import Session
    from torchclinic.running.launcher import Outcome, Target, launch

    session, path = Session(budget=1.0), Path(answer).absolute()
    meter = Meter(session)

    def write(outcome: Outcome) -> None:
        found = diagnose(session)
        run, verdict = found.run, found.verdict
        observation = Observation(
            outcome.ending,
            outcome.note,
            tuple(finding.to_dict() for finding in verdict.findings),
            verdict.checked,
            tuple(value for _, value in run.losses_seen),
            run.steps,
            run.backwards,
            meter.trained,
            meter.fed,
        )
        path.write_text(json.dumps(asdict(observation)), "utf8")

    with meter.reading():
        outcome = launch(Target(script), session, write)
    write(outcome)


if __name__ == "__main__":
    main(*sys.argv[1:])
