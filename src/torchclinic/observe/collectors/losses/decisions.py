"""Comparisons of what a model says with labels, outside of a loss."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import DecisionsCompared, LabelsEvaluated, OperationCalled
from torchclinic.observe.records import EvaluatedLabels, ScoreComparison
from torchclinic.observe.state.dataflow import Node
from torchclinic.vocabulary import COMPARISONS

MOST_POINTS = 600
MOST_LINES = 20
LEAST_COMPARED = 20  # decisions in one comparison
_CASTS = frozenset(["long", "int", "bool"])
_DECIDES = frozenset(["argmax", "max", "gt", "ge", "lt", "round", "topk", "sign"])


class Decisions(Collector):
    operations = COMPARISONS

    def prepare(self) -> None:
        self._scores: list[ScoreComparison] = []
        self._lines: set[str] = set()

    def operation_called(self, event: OperationCalled) -> None:
        if self.state.models.stack or len(event.args) != 2:
            return
        left, right = event.args
        if not (is_plain(left) and is_plain(right)) or left.shape != right.shape or left.numel() < LEAST_COMPARED:
            return
        self._score(event.node, left, right)
        if event.name == "eq" and self.state.clock.evaluations:
            self._compare(event.node, left, right)

    def _score(self, node: Node, left: Any, right: Any) -> None:
        """Numbers beside labels."""
        if left.is_floating_point() == right.is_floating_point() or torch.bool in (left.dtype, right.dtype):
            return
        numbers, labels, place = (left, right, 0) if left.is_floating_point() else (right, left, 1)
        made = node.parents[place].producer().op if len(node.parents) == 2 else ""
        if len(self._scores) < MOST_POINTS:
            seen = ScoreComparison(node.line, self.state.clock.step, made, labels.numel())
            self._scores.append(seen)

            def receive(values: list[float]) -> None:
                seen.between, seen.equal = map(int, values)

            numbers = numbers.detach()
            self.state.measurements.add([(numbers != numbers.round()).sum(), (numbers == labels).sum()], receive)

    def _compare(self, node: Node, left: Tensor, right: Tensor) -> None:
        """Decisions beside labels: the evaluation."""
        decided = [_decides(other) for other in node.parents[:2]]
        if sum(decided) != 1 or (len(self._lines) >= MOST_LINES and node.line not in self._lines):
            return
        guess, labels = (left, right) if decided[0] else (right, left)
        self.tell(DecisionsCompared(node, guess, labels))
        seen = EvaluatedLabels(node.line, self.state.clock.step, labels.numel())
        guess, labels = guess.detach().reshape(-1).double(), labels.detach().reshape(-1).double()
        common = labels.mode().values
        rare, said = labels != common, guess != common

        def receive(values: list[float]) -> None:
            seen.common, seen.rare, seen.said, seen.found = map(int, values)
            self._lines.add(node.line)
            self.tell(LabelsEvaluated(seen))

        self.state.measurements.add([common, rare.sum(), said.sum(), (rare & (guess == labels)).sum()], receive)

    def records(self) -> Iterable[ScoreComparison]:
        return self._scores


def _decides(node: Node) -> bool:
    """Whether the values are decisions, as made or as cast to integers."""
    made = node.producer()
    while made.op in _CASTS and made.parents:
        made = made.parents[0].producer()
    return made.op in _DECIDES
