"""`%load_ext torchclinic`: observe the training that the cells of a notebook run."""

from typing import Any

from torchclinic.diagnosis.report import build_report
from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.report.results import Report
from torchclinic.rules.judging import judge

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
    run = collect(_sessions[-1])
    return build_report(run, judge(run), title="This notebook")
