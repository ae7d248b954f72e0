"""From a session to a diagnosis: what was seen is collected and judged."""

from collections.abc import Sequence
from dataclasses import replace

from torchclinic.diagnosis.report import Diagnosis
from torchclinic.error_notes.crash import Crash
from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import Verdict, asked, judge


def diagnose(session: Session, *, select: Sequence[str] = (), ignore: Sequence[str] = (), crash: Crash | None = None) -> Diagnosis:
    """What is known so far, by rules whose code starts with one of `select` (all, if empty) and with none of `ignore`.

    `crash`: the error that ended the run. It is the first finding, in the place of those that say less of the same.
    """
    run = collect(session)
    verdict = judge(run, select=select, ignore=ignore)
    if crash is not None and asked(crash.kind.code, select, ignore):
        verdict = _with_crash(verdict, crash, run.steps)
    return Diagnosis(run, verdict, crash)


def _with_crash(verdict: Verdict, crash: Crash, step: int) -> Verdict:
    own = crash.finding(step)
    others = [f for f in verdict.findings if f.code not in crash.kind.covers or f.line != own.line]
    findings = (own, *(replace(finding, rank=rank) for rank, finding in enumerate(others, 2)))
    return replace(verdict, findings=findings)
