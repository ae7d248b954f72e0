"""Two tensors of the same numbers, (N, 1) and (N,) say, that broadcast against each other outside of a model."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from torch import Tensor

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import OperationCalled
from torchclinic.observe.records import Elementwise
from torchclinic.observe.state.dataflow import Node
from torchclinic.vocabulary import ARITHMETIC, COMPARISONS, REDUCTIONS

MOST_FOUND = 400
MOST_WAITING = 50  # for a sum of them
MOST_ANCESTORS = 400  # of a sum that are looked at for what broadcast
_OUTER = ARITHMETIC | COMPARISONS


class Broadcasts(Collector):
    operations = _OUTER | REDUCTIONS

    def prepare(self) -> None:
        self._found: list[Elementwise] = []
        self._outer_nodes: list[tuple[Elementwise, Node]] = []

    def operation_called(self, event: OperationCalled) -> None:
        if event.name in _OUTER and len(self._found) < MOST_FOUND:
            self._outer(event.name, event.node, event.result, event.args)
        elif event.name in REDUCTIONS and event.result.dim() == 0:
            self._reduction(event.node)

    def _outer(self, name: str, node: Node, result: Tensor, args: tuple[Any, ...]) -> None:
        if len(args) < 2 or not isinstance(args[0], Tensor) or not isinstance(args[1], Tensor):
            return
        left, right = args[0], args[1]
        if left.shape == right.shape or left.numel() != right.numel() or result.numel() <= left.numel():
            return
        if self.state.models.inside() or [n for n in left.shape if n > 1] != [n for n in right.shape if n > 1]:
            return
        nodes = [self.state.flow.leaf(left), self.state.flow.leaf(right)]
        inserted = any(n.inserted_axis and n.line == node.line for n in nodes)
        same = nodes[0].producer() is nodes[1].producer()
        record = Elementwise(
            name,
            self.state.clock.step,
            node.line,
            node.where,
            tuple(left.shape),
            tuple(right.shape),
            tuple(result.shape),
            name in COMPARISONS,
            inserted or same or left.dim() == right.dim(),
            left.requires_grad,
            right.requires_grad,
        )
        self._found.append(record)
        self._outer_nodes = [*self._outer_nodes[-MOST_WAITING:], (record, node)]

    def _reduction(self, node: Node) -> None:
        if not self._outer_nodes:
            return
        records = {id(outer): record for record, outer in self._outer_nodes}
        for ancestor in islice(node.ancestors(), MOST_ANCESTORS):
            if (record := records.get(id(ancestor))) is not None:
                record.reduced = True

    def records(self) -> Iterable[Elementwise]:
        return self._found
