"""Graphs that an evaluation builds although no backward pass will go through them, and what they hold."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.graph import Node

from torchclinic.instruments.values import is_plain, tensors_in
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import LayerEnded, ModelEnds
from torchclinic.observe.records import EvaluationGraph

MOST_LINES = 50
MOST_NODES = 20_000


class EvaluationGraphs(Collector):
    def prepare(self) -> None:
        self.found: dict[str, EvaluationGraph] = {}
        self._hooked = False  # what is saved in this forward goes through hooks, which to read would set off

    def layer_ended(self, event: LayerEnded) -> None:
        self._hooked = self._hooked or hooks_are_on()

    def model_ends(self, event: ModelEnds) -> None:
        forward, line = event.forward, event.forward.line
        hooked, self._hooked = self._hooked or hooks_are_on(), False
        if not forward.with_grad or not forward.apart or hooked or forward.recomputed or line in self.found:
            return
        outputs = [tensor for tensor in tensors_in(event.result) if tensor.grad_fn is not None]
        if not outputs or len(self.found) >= MOST_LINES:
            return
        held = held_by(outputs, [*event.model.parameters(), *event.model.buffers(), *tensors_in([event.args, event.kwargs])])

        def note() -> None:
            rows = len(outputs[0]) if outputs[0].dim() else 1
            self.found.setdefault(line, EvaluationGraph(line, event.track.kind, forward.step, held, rows))

        self.state.purposes.if_evaluated(forward, note)


def hooks_are_on() -> bool:
    return torch._C._autograd._top_saved_tensors_default_hooks(True) is not None


def held_by(outputs: list[Tensor], others: list[Tensor]) -> int:
    """Bytes of the storages that the graph of `outputs`, up to `others`, has saved for a backward pass, without those of these."""
    own = {_place(tensor) for tensor in others}
    storages: dict[int, int] = {}
    stack = [tensor.grad_fn for tensor in outputs]
    seen: set[Node] = {tensor.grad_fn for tensor in others if tensor.grad_fn is not None}  # what is behind may hold hooks
    while stack and len(seen) < MOST_NODES:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        stack += [following for following, _ in node.next_functions]
        for tensor in saved_by(node):
            if is_plain(tensor) and _place(tensor) not in own:
                storages[_place(tensor)] = tensor.untyped_storage().nbytes()
    return sum(storages.values())


def saved_by(node: Node) -> Iterator[Tensor]:
    """What one operation keeps for its backward pass; of an operation in Python only what it handed to autograd."""
    names = [name for name in dir(node) if name.startswith("_saved_")] or ["saved_tensors"]
    for name in names:
        try:
            value = getattr(node, name, None)
        except RuntimeError:  # freed, or written to since
            continue
        yield from (item for item in (value if isinstance(value, tuple | list) else (value,)) if isinstance(item, Tensor))


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr() if is_plain(tensor) else 0
