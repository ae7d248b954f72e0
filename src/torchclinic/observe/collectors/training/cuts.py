"""Which operation cut the graph between a parameter and the loss."""

from torchclinic.observe.collectors.training.drawing import draws_in
from torchclinic.observe.state.dataflow import Node
from torchclinic.observe.state.state import State
from torchclinic.observe.state.tracks import ParameterTrack
from torchclinic.vocabulary import LEAVES_TORCH

_CUTTING = LEAVES_TORCH | {"max", "round", "long", "int", "tensor", "as_tensor"}


def find_cuts(state: State, known: dict[ParameterTrack, tuple[str, str]]) -> None:
    """For owned parameters that no backward reached although their module ran: operation and line, into `known`."""
    tracks = [track for track in state.training.parameters.values() if track not in known and _misses(track)]
    draws = list(draws_in(state.flow.created)) if any(map(_misses, state.training.parameters.values())) else []
    for track in tracks:
        owners = (m.owner_of.get(track.key, (0, ""))[0] for m in state.models.tracks.values())
        outputs = state.models.module_outputs
        node = next((outputs[key] for key in owners if key in outputs), None)
        if node is None:
            continue
        drawn = next((d for d in draws if any(_descends(parameter, node) for parameter in d.parameters)), None)
        if not node.requires_grad:
            known[track] = "no_grad", node.line
        elif drawn is not None:
            known[track] = "sample", drawn.node.line
        elif (cut := _cut_after(node, state.flow.created)) is not None:
            known[track] = cut.op, cut.line


def _cut_after(node: Node, created: list[Node]) -> Node | None:
    for other in created:
        parent = other.parents[0] if other.parents else None
        cutting = other.op in _CUTTING and not other.requires_grad and parent is not None and parent.requires_grad
        if cutting and parent is not None and _descends(parent, node):
            return other
    return None


def _misses(track: ParameterTrack) -> bool:
    tensor = track.ref()
    return tensor is not None and not track.reached and bool(track.owners) and tensor.requires_grad


def _descends(node: Node, origin: Node) -> bool:
    return any(ancestor is origin for ancestor in node.ancestors())
