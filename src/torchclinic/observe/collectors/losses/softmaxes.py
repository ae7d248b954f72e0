"""Softmaxes that gradients flow through, and over which dimension."""

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import OperationCalled
from torchclinic.observe.records import SoftmaxUse
from torchclinic.vocabulary import SOFTMAXES


class Softmaxes(Collector):
    operations = SOFTMAXES

    def prepare(self) -> None:
        self.found: dict[str, SoftmaxUse] = {}  # by line

    def operation_called(self, event: OperationCalled) -> None:
        node, result, args = event.node, event.result, event.args
        dim = event.kwargs.get("dim", args[1] if len(args) > 1 else None)
        if event.grad and result.requires_grad and isinstance(dim, int) and result.dim():
            use = self.found.setdefault(node.line, SoftmaxUse(node.line, node.where, tuple(result.shape), dim))
            use.single += result.shape[dim] == 1
            use.calls += 1
