"""`%load_ext torchclinic`: observe the training that the cells of a notebook run, and explain the errors they raise."""

import sys
from typing import Any

from torchclinic.diagnosis.diagnose import diagnose
from torchclinic.error_notes.crash import Crash, crash_of
from torchclinic.observe.session import Session
from torchclinic.report.results import Report

_sessions: list[Session] = []
_crashes: list[Crash] = []  # of the last cell, if it raised


def load_ipython_extension(shell: Any) -> None:
    """Start observing; the line magic `%torchclinic` shows the report."""
    session = Session()
    session.__enter__()
    _sessions.append(session)
    shell.register_magic_function(lambda line="": report(), "line", "torchclinic")
    if hasattr(shell, "events"):
        shell.events.register("post_run_cell", after_cell)


def unload_ipython_extension(shell: Any) -> None:
    """Stop observing and put everything back."""
    while _sessions:
        _sessions.pop().close()
    _crashes.clear()
    if hasattr(shell, "events"):
        shell.events.unregister("post_run_cell", after_cell)
    shell.magics_manager.magics["line"].pop("torchclinic", None)


def after_cell(result: Any) -> None:
    """Explain under the traceback what a cell has raised. A cell that only shows the report leaves the error to it."""
    error = getattr(result, "error_in_exec", None)
    if isinstance(error, Exception):
        with _sessions[-1].own.work():
            _crashes[:] = [crash_of(error)]
        sys.stderr.write(_crashes[0].text() + "\n" if _crashes and _crashes[0].text() else "")
    elif not str(getattr(getattr(result, "info", None), "raw_cell", "")).strip().startswith("%"):
        _crashes.clear()


def report() -> Report:
    """What was found since the extension was loaded."""
    return diagnose(_sessions[-1], crash=_crashes[0] if _crashes else None).report("This notebook")
