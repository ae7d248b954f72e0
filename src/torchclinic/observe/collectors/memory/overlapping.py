"""Writes into tensors of which one element stands for many."""

import weakref
from typing import Any

from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import OperationBegins, OperationCalled, OperationEarly
from torchclinic.observe.records import OverlappingWrite
from torchclinic.script.lines import user_line
from torchclinic.vocabulary import ELEMENTWISE_WRITES, SPREADING

MOST_SPREAD = 1000  # expanded tensors whose lines are remembered
MOST_OVERLAPPING = 50  # lines


class OverlappingWrites(Collector):
    operations = ELEMENTWISE_WRITES | SPREADING

    def prepare(self) -> None:
        self.found: dict[str, OverlappingWrite] = {}  # by line
        self._spread: dict[int, tuple[weakref.ref[Tensor], str]] = {}

    def operation_early(self, event: OperationEarly) -> None:
        """While data are made: all that is looked at are strides."""
        self._remember(event.name, event.result)
        if event.name in ELEMENTWISE_WRITES:
            self._write(event.name, event.args)

    def operation_begins(self, event: OperationBegins) -> None:
        if event.name in ELEMENTWISE_WRITES:
            self._write(event.name, event.args)

    def operation_called(self, event: OperationCalled) -> None:
        self._remember(event.name, event.result)

    def _remember(self, name: str, result: Any) -> None:
        """Remember the line that made one element stand for many."""
        if name in SPREADING and isinstance(result, Tensor):
            if len(self._spread) >= MOST_SPREAD:
                self._spread.clear()
            self._spread[id(result)] = weakref.ref(result), user_line()

    def _write(self, name: str, args: tuple[Any, ...]) -> None:
        """An operation writes to its first argument; are its elements in one place?"""
        tensor = args[0] if args else None
        if not isinstance(tensor, Tensor) or not is_plain(tensor) or tensor.numel() < 2:
            return
        strides = tensor.stride()
        if not any(stride == 0 and size > 1 for stride, size in zip(strides, tensor.shape, strict=True)):
            return
        line = user_line()
        record = self.found.get(line)
        if record is None and len(self.found) < MOST_OVERLAPPING:
            spread, origin = self._spread.get(id(tensor), (None, ""))
            known = origin if spread is not None and spread() is tensor else ""
            shape = tuple(tensor.shape)
            record = self.found[line] = OverlappingWrite(line, name, self.state.clock.step, shape, strides, known)
        if record is not None:
            record.times += 1
