"""Chains of operations: where one cuts the graph between a parameter and the loss, and where one holds it too long."""

from typing import TYPE_CHECKING

from torch import Tensor

from torchclinic.observe.draws import draws_in
from torchclinic.observe.records import RetainedGraph
from torchclinic.observe.state.dataflow import Node
from torchclinic.observe.state.tracks import ParameterTrack

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

_CUTTING = {"detach", "data", "argmax", "numpy", "item", "tolist", "max", "round", "long", "int", "tensor", "as_tensor"}


def retained(session: "Session") -> list[RetainedGraph]:
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
    draws = list(draws_in(session.flow.created)) if _unreached(session) else []
    for track in session.training.parameters.values():
        tensor = track.ref()
        if tensor is None or track.cut or not _misses(track, tensor):
            continue
        owners = (m.owner_of.get(id(tensor), (0, ""))[0] for m in session.modules.models.values())
        node = next((outputs[key] for key in owners if key in outputs), None)
        if node is None:
            continue
        if not node.requires_grad:
            track.cut, track.cut_line = "no_grad", node.line
            continue
        drawn = next((d for d in draws if any(_descends(parameter, node) for parameter in d.parameters)), None)
        if drawn is not None:
            track.cut, track.cut_line = "sample", drawn.node.line
            continue
        for other in session.flow.created:
            cutting = other.op in _CUTTING and not other.requires_grad
            parent = other.parents[0] if other.parents else None
            if cutting and parent is not None and parent.requires_grad and _descends(parent, node):
                track.cut, track.cut_line = other.op, other.line
                break


def _misses(track: ParameterTrack, tensor: Tensor | None) -> bool:
    return tensor is not None and not track.reached and bool(track.owners) and tensor.requires_grad


def _unreached(session: "Session") -> bool:
    return any(_misses(track, track.ref()) for track in session.training.parameters.values())


def _descends(node: Node, origin: Node) -> bool:
    return any(ancestor is origin for ancestor in node.ancestors())
