"""From what a session has seen to plain records."""

from itertools import chain

from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.record import frozen
from torchclinic.observe.session import Session


def collect(session: Session) -> RunRecord:
    """The records of everything seen so far, frozen as they are now."""
    for tap in session.taps:
        tap.settle()
    state, clock, budget = session.state, session.state.clock, session.budget
    seen = chain(session.sampler.records(), *(collector.records() for collector in session.collectors))
    return RunRecord(
        records=[frozen(record) for record in seen],
        steps=clock.step,
        backwards=clock.backwards,
        observed_steps=clock.observed_steps,
        evaluations=clock.evaluations,
        seconds=budget.elapsed,
        overhead=budget.overhead,
        losses_seen=list(zip(state.losses.steps, state.losses.values, strict=True)),
        limits=list(state.limits),
        finished=session.finished,
        scaled=state.scaling.used,
    )
