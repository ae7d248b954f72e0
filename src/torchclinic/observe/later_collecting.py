"""The later records of a session, completed with what only its end shows."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchclinic.observe.session import Session


def later_records(session: "Session") -> Iterator[object]:
    """Everything of `observe.later_records` that was seen so far."""
    yield from session.probing.eval_passes
    for gap in session.probing.gaps.values():
        gap.steps = session.step
        yield gap
    yield from _carried(session)
    yield from _labels(session)
    updates = session.updates
    for clip in updates.clips.values():
        clip.steps = session.step
        yield clip
    yield from updates.decays.values()
    for half in updates.halves.values():
        yield replace(half, step_share=half.step_share / half.steps, scaled=session.run.scaled)
    yield from session.held_out.uses.values()
    yield from session.workers.records()
    yield from (use for _, use in session.ranks.samplers.values())
    yield from session.ranks.bypasses()
    if session.replicas.comparison is not None:
        yield session.replicas.comparison


def _carried(session: "Session") -> Iterator[object]:
    phases = [record for record in session.probing.carry_over.phases.values() if record.unseen.rows]
    for record in phases:
        alike = [other.unseen for other in phases if other.model == record.model]
        yield replace(record, best=max(unseen.kappa / unseen.error(0.0) for unseen in alike))


def _labels(session: "Session") -> Iterator[object]:
    optimizers = sum(track.steps > 0 for track in session.training.optimizers.values())
    for stream in session.labels.streams.values():
        stream.steps, stream.optimizers = session.step, optimizers
        stream.evaluations = list(session.labels.evaluations.values())
        stream.batches = [batch for batch in stream.batches if batch.counts]
        yield stream
    for stream in session.labels.loaded.values():
        stream.steps, stream.optimizers = session.step, optimizers
        classes = max((len(batch.counts) for batch in stream.batches), default=0)
        padded = [replace(b, counts=b.counts + (0,) * (classes - len(b.counts))) for b in stream.batches]
        yield replace(stream, batches=padded)
    for direction in session.labels.directions.values():
        direction.optimizers = optimizers
        yield direction
