"""From what a session has seen to plain records."""

from typing import TYPE_CHECKING

from torchclinic.observe.dataflow import Node
from torchclinic.observe.later_collecting import later_records
from torchclinic.observe.records import (
    ModelRecord,
    OptimizerRecord,
    ParameterRecord,
    RetainedGraph,
    RunRecord,
)
from torchclinic.observe.tracks import OptimizerTrack, ParameterTrack, refresh

if TYPE_CHECKING:
    from torchclinic.observe.modules import ModelTrack
    from torchclinic.observe.session import Session

_CUTTING = {"detach", "data", "argmax", "numpy", "item", "tolist", "max", "round", "long", "int", "tensor", "as_tensor"}


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
    for scheduler, _ in session.state.schedulers.values():
        scheduler.epochs = max((loader.iterators for loader in session.state.loaders.values()), default=0)
    operations, state, modules = session.operations, session.state, session.modules
    for facts in modules.inputs:
        facts.trained = True
    for model in modules.models.values():
        for batch in model.batches:
            batch.total = session.step
    run.steps_seen = training.steps
    run.layers = session.statistics.records()
    run.others = [
        *run.layers,
        *operations.losses, *operations.elementwise, *operations.overlapping, *operations.mutated.values(),
        *operations.copies.values(), *operations.pinned, *state.pinned, *modules.forwards, *modules.inputs,
        *training.backward_passes, *training.steps, *run.optimizers, *run.parameters,
        *(record for record, _ in state.schedulers.values()), *state.loaders.values(), *state.uses, *state.loads,
        *state.clips, *(batch for model in modules.models.values() for batch in model.batches), *_retained(session),
        *session.probing.records, *later_records(session),
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
            line=line or track.line.partition("|")[2],
            initialized_line=track.made,
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
        orphans += untouched and names.model_of(key) is None
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
        track.clear_line, track.input_backwards,
    )  # fmt: skip


def _retained(session: "Session") -> list[RetainedGraph]:
    """Losses of earlier steps that are still alive together with their graph."""
    found = list(session.training.retained.values())
    alive = [(step, line) for step, line, ref in session.training.root_refs if (t := ref()) is not None and t.grad_fn]
    steps = {step for step, _ in alive}
    if len(steps) >= 3:
        passes = session.training.backward_passes
        line = next((line for _, line in alive if line), passes[0].root_line if passes else "")
        found.append(RetainedGraph(line, max(steps), len(steps), "list"))
    return found


def find_retained(session: "Session") -> None:
    """Chains of additions that hold the losses of three or more steps, each of which was already run backward."""
    for node in session.flow.created:
        if (
            node.op in ("add", "add_", "div", "mul")
            and node.requires_grad
            and node.line not in session.training.retained
        ):
            steps = _summed_losses(node)
            if len(steps) >= 3:
                record = RetainedGraph(node.line, max(steps), len(steps), "sum")
                session.training.retained[node.line] = record


def _summed_losses(node: Node) -> set[int]:
    steps: set[int] = set()
    stack, seen = [node], 0
    while stack and seen < 400:
        seen += 1
        top = stack.pop()
        if top.root_step is not None:
            steps.add(top.root_step)
        elif top.op in ("add", "add_", "mul", "div", "getitem", "sub", "mean", "view", "reshape", "squeeze"):
            stack += [parent for parent in top.parents if parent.requires_grad]
    return steps


def find_cuts(session: "Session") -> None:
    """For owned parameters that no backward reached although their module ran: the operation that cut the graph."""
    outputs = session.modules.module_outputs
    for track in session.training.parameters.values():
        tensor = track.ref()
        if tensor is None or track.reached or not track.owners or track.cut or not tensor.requires_grad:
            continue
        owners = (m.owner_of.get(id(tensor), (0, ""))[0] for m in session.modules.models.values())
        node = next((outputs[key] for key in owners if key in outputs), None)
        if node is None:
            continue
        if not node.requires_grad:
            track.cut, track.cut_line = "no_grad", node.line
            continue
        for other in session.flow.created:
            cutting = other.op in _CUTTING and not other.requires_grad
            parent = other.parents[0] if other.parents else None
            if cutting and parent is not None and parent.requires_grad and _descends(parent, node):
                track.cut, track.cut_line = other.op, other.line
                break


def _descends(node: Node, origin: Node) -> bool:
    return any(ancestor is origin for ancestor in node.ancestors())
