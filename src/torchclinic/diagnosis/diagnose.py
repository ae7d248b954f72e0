"""From a session to a diagnosis: what was seen is collected and judged."""

from collections.abc import Sequence

from torchclinic.diagnosis.report import Diagnosis
from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge


def diagnose(session: Session, *, select: Sequence[str] = (), ignore: Sequence[str] = ()) -> Diagnosis:
    """What is known so far, by rules whose code starts with one of `select` (all, if empty) and with none of `ignore`."""
    run = collect(session)
    return Diagnosis(run, judge(run, select=select, ignore=ignore))
