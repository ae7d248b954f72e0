"""Runs a user's script in this process, as Python would, under observation, and says how it ended."""

import os
import signal
import subprocess
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import process
from pathlib import Path
from typing import Any

from torchclinic.error_notes.crash import Crash, crash_of
from torchclinic.error_notes.recorder import Recorder
from torchclinic.errors import InputError
from torchclinic.observe.failure import note_failure
from torchclinic.observe.own import StopRun
from torchclinic.observe.session import Session
from torchclinic.script.frames import forget_frames_of_all


@dataclass(slots=True)
class Outcome:
    """How the script ended."""

    exit_code: int = 0
    ending: str = "finished"  # finished | stopped | exited | raised | interrupted | killed
    note: str = ""
    children: int = 0  # processes it started, which were not observed
    error: BaseException | None = field(default=None, repr=False)
    crash: Crash | None = field(default=None, repr=False)  # that error, explained where its kind is known
    names: dict[str, Any] = field(default_factory=dict, repr=False)  # the script's globals


@dataclass(frozen=True, slots=True)
class Target:
    """A script file, or a module as with `python -m`."""

    name: str
    arguments: tuple[str, ...] = ()
    is_module: bool = False

    def code(self) -> tuple[types.CodeType, str, str]:
        """Compiled code, file name, and the folder that goes first on `sys.path`.

        Raises:
            InputError: the script is missing, unreadable or not Python.
        """
        if self.is_module:
            return _module_code(self.name)
        path = Path(self.name)
        if path.is_dir():
            raise InputError(f"{self.name} is a folder; give the script in it.")
        try:
            source = path.read_bytes()
            code = compile(source, str(path.absolute()), "exec", dont_inherit=True)
        except OSError as error:
            raise InputError(f"Cannot read {self.name}: {error.strerror}.") from error
        except (SyntaxError, ValueError) as error:
            place = f" on line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            raise InputError(f"{self.name} is not a Python script: {_first_line(error)}{place}.") from error
        return code, str(path.absolute()), str(path.absolute().parent)


def _first_line(error: Exception) -> str:
    return (error.msg if isinstance(error, SyntaxError) else str(error)).splitlines()[0]


def _module_code(name: str) -> tuple[types.CodeType, str, str]:
    from runpy import _get_module_details  # type: ignore[attr-defined]

    sys.path.insert(0, str(Path.cwd()))
    try:
        _, spec, code = _get_module_details(name)
    except ImportError as error:
        raise InputError(f"Cannot run the module {name}: {error}.") from error
    finally:
        sys.path.pop(0)
    return code, str(spec.origin), str(Path.cwd())


def launch(target: Target, session: Session, last_word: Callable[[Outcome], None]) -> Outcome:
    """Run `target` under `session`. `last_word` is called if the process is about to end under our feet.

    The script sees its own `sys.argv`, `__main__`, `__file__` and `sys.path[0]`; whatever it raises is printed to stderr
    as Python prints it, and becomes an exit code. Everything is put back afterwards.

    Raises:
        InputError: the script cannot be read or is not Python.
    """
    code, filename, folder = target.code()
    outcome, session.wiring.witness = Outcome(), (past := Recorder())
    with as_main(filename, folder, target.arguments) as names, _watch_processes(outcome, last_word, session):
        outcome.names = names
        try:
            with session:
                exec(code, names)
        except StopRun:
            outcome.ending = "stopped"
        except SystemExit as request:
            outcome.ending, outcome.exit_code = "exited", _exit_code(request)
        except KeyboardInterrupt as error:
            _print_error(error)
            outcome.ending, outcome.exit_code = "interrupted", 130
        except BaseException as error:  # noqa: BLE001 - whatever the script raises ends the script, not the report
            past.blind = session.missed
            _print_error(error)
            outcome.crash = crash_of(error, past)
            note_failure(session, error)
            outcome.ending, outcome.exit_code, outcome.error = "raised", 1, error
            outcome.note = f"{type(error).__name__}: {error}"
    return outcome


def _exit_code(request: SystemExit) -> int:
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code
    print(request.code, file=sys.stderr)  # noqa: T201 - what Python does
    return 1


def _print_error(error: BaseException) -> None:
    """As the interpreter does, without the frames that ran the script."""
    own = error.__traceback__
    error.__traceback__ = own and own.tb_next
    forget_frames_of_all(error)
    sys.stdout.flush()
    if sys.excepthook is sys.__excepthook__:
        traceback.print_exception(error)
    else:  # the script's own
        sys.excepthook(type(error), error, error.__traceback__)


@contextmanager
def as_main(filename: str, folder: str, arguments: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The globals of a script that runs as `__main__`; `sys.argv` and `sys.path` as it expects them, and put back."""
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=filename, __builtins__=__builtins__, __spec__=None, __cached__=None)
    before = sys.modules["__main__"], sys.argv, list(sys.path)
    sys.modules["__main__"], sys.argv = main, [filename, *arguments]
    sys.path.insert(0, folder)
    try:
        yield main.__dict__
    finally:
        sys.modules["__main__"], sys.argv, sys.path[:] = before


@contextmanager
def _watch_processes(outcome: Outcome, last_word: Callable[[Outcome], None], session: Session) -> Iterator[None]:
    """Count the children that will not be observed, and speak before `os._exit` or SIGTERM ends the process."""
    start, popen, leave, pid = process.BaseProcess.start, subprocess.Popen.__init__, os._exit, os.getpid()

    def end(code: int, ending: str, note: str) -> None:
        outcome.exit_code, outcome.ending, outcome.note = code, ending, note
        session.close()
        last_word(outcome)
        sys.stderr.flush()

    def counted_start(self: Any) -> None:
        outcome.children += getattr(self, "_target", None) is None or self._target.__module__.startswith(_OWN) is False
        start(self)

    def counted_popen(self: Any, *args: Any, **kwargs: Any) -> None:
        outcome.children += 1
        popen(self, *args, **kwargs)

    def announced_exit(status: int) -> None:
        if os.getpid() == pid:
            end(status, "exited", "the script called os._exit")
        leave(status)

    def terminated(number: int, frame: object) -> None:
        if os.getpid() == pid:
            end(128 + number, "killed", "the script was terminated")
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    process.BaseProcess.start = counted_start  # type: ignore[method-assign]
    subprocess.Popen.__init__ = counted_popen  # type: ignore[method-assign]
    os._exit = announced_exit  # type: ignore[assignment]
    if default:
        signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        process.BaseProcess.start = start  # type: ignore[method-assign]
        subprocess.Popen.__init__ = popen  # type: ignore[method-assign]
        os._exit = leave
        if default and signal.getsignal(signal.SIGTERM) is terminated:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


_OWN = "torch.utils.data"  # loader workers run the data set, not the training
