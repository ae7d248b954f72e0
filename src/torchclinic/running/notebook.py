"""`%load_ext torchclinic`: observe the training that the cells of a notebook run."""

from typing import Any

from torchclinic.diagnosis.diagnose import diagnose
from torchclinic.observe.session import Session
from torchclinic.report.results import Report

_sessions: list[Session] = []


def load_ipython_extension(shell: Any) -> None:
    """Start observing; the line magic `%torchclinic` shows the report."""
    session = Session()
    session.__enter__()
    _sessions.append(session)
    shell.register_magic_function(lambda line="": report(), "line", "torchclinic")


def unload_ipython_extension(shell: Any) -> None:
    """Stop observing and put everything back."""
    while _sessions:
        _sessions.pop().close()
    shell.magics_manager.magics["line"].pop("torchclinic", None)


def report() -> Report:
    """What was found since the extension was loaded."""
    return diagnose(_sessions[-1]).report("This notebook")
