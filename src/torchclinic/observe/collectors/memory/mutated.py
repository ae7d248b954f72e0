"""Pieces of larger tensors of data that arithmetic changes in place, and that models are fed with."""

import torch

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import OperationCalled, StepSeen, WindowEnded
from torchclinic.observe.records import MutatedData
from torchclinic.observe.state.dataflow import Node
from torchclinic.vocabulary import IN_PLACE_ARITHMETIC

MOST_MUTATED = 50


class MutatedPieces(Collector):
    operations = IN_PLACE_ARITHMETIC

    def prepare(self) -> None:
        self.found: dict[str, MutatedData] = {}
        self._nodes: list[tuple[MutatedData, Node]] = []

    def operation_called(self, event: OperationCalled) -> None:
        node, result = event.node, event.result
        if result.requires_grad or not result.is_floating_point() or not node.parents:
            return
        base = result._base
        if base is None or base.numel() < 2 * result.numel() or base.requires_grad:
            return
        if isinstance(base, torch.nn.Parameter) or len(self.found) >= MOST_MUTATED:
            return
        if self.state.models.stack or self.state.training.inside_step:
            return
        shapes = tuple(result.shape), tuple(base.shape)
        fresh = MutatedData(node.line, event.name, self.state.clock.step, *shapes, 0, False)
        record = self.found.setdefault(node.line, fresh)
        record.times += 1
        self._nodes.append((record, node))

    def step_seen(self, event: StepSeen) -> None:
        self._judge()

    def window_ended(self, event: WindowEnded) -> None:
        self._judge()

    def _judge(self) -> None:
        """Which of them did a model see?"""
        if not self._nodes:
            return
        forwards = [node for _, nodes, _ in self.state.models.outputs.values() for node in nodes]
        touched = {id(ancestor) for node in forwards for ancestor in node.ancestors()}
        for record, node in self._nodes:
            record.feeds_model = record.feeds_model or id(node) in touched
        self._nodes.clear()
