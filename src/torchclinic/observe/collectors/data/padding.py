"""What a mask that forbids positions hides, and what it leaves: the tokens of the model's own input."""

import weakref

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import ModelBegins, OperationCalled
from torchclinic.observe.records import PaddingMask
from torchclinic.observe.state.dataflow import Node
from torchclinic.vocabulary import MASKED_FILLS

FORBIDDEN = -1e4  # scores at or below it have no share after a softmax
MOST_LINES = 20
LEAST_TOKENS = 4


class PaddingMasks(Collector):
    """Looks at masks with one entry for each position of the input, as attention scores are filled with them."""

    operations = MASKED_FILLS

    def prepare(self) -> None:
        self.found: dict[str, PaddingMask] = {}
        self._inputs: list[weakref.ref[Tensor]] = []  # of the forward that runs

    def model_begins(self, event: ModelBegins) -> None:
        self._inputs = [weakref.ref(tensor) for tensor in event.tensors if _has_positions(tensor)]

    def operation_called(self, event: OperationCalled) -> None:
        node, args = event.node, event.args
        if not event.grad:
            return
        mask, value = args[1:3] if len(args) > 2 else (None, None)
        if not isinstance(value, int | float) or value > FORBIDDEN or not isinstance(mask, Tensor) or not is_plain(mask):
            return
        if node.line not in self.found and len(self.found) >= MOST_LINES:
            return
        mask = mask.detach().bool()
        for ref in self._inputs:
            tensor = ref()
            if tensor is not None and tensor.dtype is not torch.bool and mask.squeeze().shape == tensor.shape[:2]:
                self._compare(node, mask.squeeze(), tensor.detach())
                return

    def _compare(self, node: Node, mask: Tensor, tensor: Tensor) -> None:
        tokens = tensor if tensor.dim() == 2 else (tensor != 0).any(2).long()
        hidden, left = tokens[mask].unique(), tokens[~mask].unique()
        if not len(hidden) or not len(left):
            return
        facts = self.found.setdefault(node.line, PaddingMask(node.line, node.where, self.state.clock.step, tensor.dim() == 2))
        facts.calls += 1
        padding = bool(left[0] == 0) and bool(hidden[0] == 1) if tensor.dim() == 3 else len(hidden) >= LEAST_TOKENS
        facts.inverted += len(left) == 1 and len(hidden) != 0 and padding and not bool((hidden == left[0]).any())


def _has_positions(tensor: Tensor) -> bool:
    """Tokens, or vectors, by sample and position."""
    return tensor.dim() == (3 if tensor.is_floating_point() else 2)
