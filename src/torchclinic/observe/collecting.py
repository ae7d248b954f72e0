"""From what a session has seen to plain records."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from torchclinic.observe.carry_over import unexplained
from torchclinic.observe.chains import retained
from torchclinic.observe.records import ModelRecord, OptimizerRecord, ParameterRecord, RunRecord
from torchclinic.observe.state.tracks import OptimizerTrack, ParameterTrack, refresh

if TYPE_CHECKING:
    from torchclinic.observe.session import Session
    from torchclinic.observe.state.model_track import ModelTrack


def collect(session: "Session") -> RunRecord:
    """The records of everything seen so far."""
    run, training = session.run, session.training
    session.backward.flush_losses()
    names = _Names(session)
    run.steps, run.backwards = session.step, training.backwards
    run.evaluations = session.evaluating
    run.losses_seen = list(zip(session.backward.steps, session.backward.values, strict=True))
    run.seconds, run.overhead = session.budget.elapsed, session.budget.overhead
    run.models = [_model(track, session, names) for track in session.modules.models.values()]
    run.parameters = [names.record(track) for track in training.parameters.values()]
    run.optimizers = [_optimizer(track, session, names) for track in training.optimizers.values()]
    run.manual_updates = any(record.reached and not record.unchanged and not record.owned for record in run.parameters)
    for scheduler, _ in session.schedules.schedulers.values():
        scheduler.epochs = max((loader.iterators for loader in session.loaders.records.values()), default=0)
    memory, checkpoints, modules = session.memory, session.checkpoints, session.modules
    for facts in modules.inputs:
        facts.trained = True
    for model in modules.models.values():
        for batch in model.batches:
            batch.total = session.step
    run.steps_seen = training.steps
    run.layers = session.statistics.records()
    run.others = [
        *run.layers,
        *session.losses.calls, *session.operations.elementwise, *session.operations.softmaxes.values(),
        *memory.overlapping.values(), *memory.mutated.values(),
        *memory.copies.values(), *memory.renames.values(), *memory.pinned, *checkpoints.pinned, *modules.forwards, *modules.inputs,
        *training.backward_passes, *training.steps, *run.optimizers, *run.parameters,
        *(record for record, _ in session.schedules.schedulers.values()),
        *(record for record, _ in session.schedules.made), *session.loaders.records.values(),
        *checkpoints.uses, *checkpoints.loads,
        *session.scaling.clips, *(batch for model in modules.models.values() for batch in model.batches), *retained(session),
        *session.probing.records, *_evaluations(session), *_labels(session), *session.updates.records(), *session.clamps.records(),
        *session.workers.records(), *(use for _, use in session.ranks.samplers.values()), *session.ranks.bypasses(),
        *session.target_scales.found.values(), *session.class_weights.found.values(),
        *session.target_networks.records(), *session.draws.found.values(), *session.discarded.records(),
    ]  # fmt: skip
    if session.numerics.first is not None:
        run.others.append(session.numerics.first)
    return run


class _Names:
    """Where each parameter belongs."""

    def __init__(self, session: "Session") -> None:
        self.session = session
        self.models = list(session.modules.models.values())
        named = [model for model in self.models if model.parameters]
        self.several = len(named) > 1

    def prefix(self, model: "ModelTrack") -> str:
        return f"{model.variable or model.kind}." if self.several else ""

    def model_of(self, key: int) -> "ModelTrack | None":
        return next((model for model in self.models if key in model.parameter_names), None)

    def gone(self, key: int) -> bool:
        """It was a parameter of a model, and is one of none any more."""
        return self.model_of(key) is not None and not any(key in model.current for model in self.models)

    def record(self, track: ParameterTrack) -> ParameterRecord:
        modules, training = self.session.modules, self.session.training
        refresh(track)
        key = track.key
        model = self.model_of(key)
        owner = next((m.owner_of[key] for m in self.models if key in m.owner_of), (0, ""))
        held_by, line = modules.unregistered.get(owner[0], ("", ""))
        stepping = [t for t in training.optimizers.values() if t.index in track.owners and t.steps > 0]
        siblings = next((m.siblings[owner[0]] for m in self.models if owner[0] in m.siblings), ())
        name = self.prefix(model) + model.parameter_names[key] if model is not None else track.user_name
        return ParameterRecord(
            name=name or "(unnamed)",
            module=name.rpartition(".")[0],
            module_type=owner[1],
            shape=track.shape,
            registered=model is not None,
            held_by=held_by or track.line.partition("|")[0],
            is_parameter=track.is_parameter,
            owned=bool(stepping),
            owner_steps=max((t.steps for t in stepping), default=0),
            owner=max(stepping, key=lambda t: t.steps).index if stepping else -1,
            line=line or track.line.partition("|")[2],
            initialized_line=track.made,
            ran_line=modules.ran_at.get(owner[0], ""),
            requires_grad=track.requires_grad,
            module_ran=modules.ran.get(owner[0], 0),
            backwards=track.backwards,
            reached=track.reached,
            sibling_ran=any(key in modules.ran for key in siblings),
            loaded=track.loaded,
            evaluating=owner[0] in modules.ran and owner[0] not in modules.ran_training,
            unchanged=track.unchanged,
            persistent=len(track.reached_steps) >= 2,
            input_like=track.input_like,
            by_hand=not any(t.steps for t in training.optimizers.values()),
            model_steps=self.session.step - track.born,
            rows_equal=track.rows_equal,
            constant=track.constant,
            gradient_rows_equal=track.gradient_rows_equal,
            all_zero=track.all_zero,
            stayed_zero=track.stayed_zero,
            gradient_zero=track.gradient_zero,
            cut=track.cut,
            cut_line=track.cut_line,
        )


def _model(track: "ModelTrack", session: "Session", names: _Names) -> ModelRecord:
    ran = session.modules.ran
    keys = {path: key for key, path in track.paths.items()}
    rows = [(path, kind, size, ran.get(keys.get(path, 0), 0)) for path, kind, size in track.sizes]
    name = names.prefix(track).rstrip(".") or track.kind
    return ModelRecord(name, track.kind, track.parameters, track.trainable, track.calls, track.tied, rows)


def _optimizer(track: OptimizerTrack, session: "Session", names: _Names) -> OptimizerRecord:
    track.parameters()
    owned = track.keys
    orphans = 0
    for key in owned:
        known = session.training.parameters.get(key)
        untouched = known is None or known.reached == 0
        orphans += names.gone(key) or (untouched and names.model_of(key) is None)
    rates = [rate for _, rate in track.rates]
    high = max(rates, default=0.0)
    start = track.steps
    for step, rate in reversed(track.rates):
        if rate >= 1e-4 * high:
            break
        start = step
    share = (track.steps - start) / track.steps if track.steps and high > 0 else 0.0
    return OptimizerRecord(
        track.index, track.name, track.line, len(owned), track.steps, "".join(track.pattern), orphans,
        rates[0] if rates else 0.0, high, rates[-1] if rates else 0.0, share, start,
        len(session.training.optimizers) == 1,
        sum(step.stale > 0 for step in session.training.steps if step.optimizer == track.index),
        track.clear_line, track.input_backwards, _climbs(rates),
    )  # fmt: skip


def _climbs(rates: list[float]) -> bool:
    rises = [after - before for before, after in pairwise(rates)]
    return len(rises) >= 3 and min(rises) > 0 and rises[-1] > rises[0] / 2


def _evaluations(session: "Session") -> Iterator[object]:
    yield from session.probing.eval_passes
    for gap in session.probing.gaps.values():
        gap.steps = session.step
        yield gap
    yield from session.unmeasured.found.values()
    yield from session.held_out.uses.values()
    yield from session.labels.scores
    yield from session.padding.found.values()
    yield from session.input_scales.found.values()
    yield from session.training.uneven_terms
    yield from session.probing.answers.records.values()
    phases = [record for record in session.probing.carry_over.phases.values() if record.unseen.rows]
    for record in phases:
        alike = [other.unseen for other in phases if other.model == record.model]
        best = max(unseen.kappa / unseen.error(0.0) for unseen in alike)
        yield replace(record, best=best, evaluations=len(alike), left=unexplained(session, record.step))
    if session.replicas.comparison is not None:
        yield session.replicas.comparison


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
