"""Updates that a loop without an optimizer computes and throws away: `p = p - lr * p.grad` gives a local name a new value."""

import weakref
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import BackwardBegins, ChainsForgotten, GradientsComputed, OperationCalled
from torchclinic.observe.records import DiscardedUpdate
from torchclinic.observe.state.dataflow import Node
from torchclinic.observe.state.tracks import refresh

_UPDATES = frozenset(["sub", "add", "lerp", "addcmul", "addcdiv"])
MOST_ANCESTORS = 60  # of an update that are looked at for a gradient
MOST_PASSES = 20  # backward passes after which nothing is looked for any more


class _Update(NamedTuple):
    result: weakref.ref[Tensor]
    node: Node
    parameter: weakref.ref[Tensor]
    backward: int  # passes before it


class DiscardedUpdates(Collector):
    operations = _UPDATES

    def prepare(self) -> None:
        self._candidates: list[_Update] = []
        self._thrown: dict[str, dict[int, tuple[weakref.ref[Tensor], set[int]]]] = {}  # line -> parameter -> passes
        self._records: dict[str, DiscardedUpdate] = {}
        self._used: set[str] = set()  # lines of updates that something came of
        self._gradients: dict[int, weakref.ref[Tensor]] = {}  # that `torch.autograd.grad` gave last, by parameter

    def gradients_computed(self, event: GradientsComputed) -> None:
        self._gradients = {id(leaf): weakref.ref(gradient) for leaf, gradient in event.pairs if gradient is not None}

    def operation_called(self, event: OperationCalled) -> None:
        """Is its result a parameter that was moved along its gradient?"""
        node, result, backwards = event.node, event.result, self.state.clock.backwards
        if self.state.training.optimizers or not 0 < backwards <= MOST_PASSES:
            return
        for parent in node.parents[:2]:
            leaf = parent.producer()
            if leaf.op or not leaf.requires_grad or leaf.shape != node.shape:
                continue
            parameter = self.state.flow.tensor_of(leaf)
            if parameter is None or parameter is result or not self._moved_along(node, parameter):
                continue
            self._candidates.append(_Update(weakref.ref(result), node, weakref.ref(parameter), backwards))
            return

    def _moved_along(self, node: Node, parameter: Tensor) -> bool:
        computed = self._gradients.get(id(parameter))
        gradient = parameter.grad if computed is None else computed()
        known = self.state.flow.node_of(gradient) if gradient is not None else None
        stack, seen = list(node.parents), {id(node)}
        while known is not None and stack and len(seen) < MOST_ANCESTORS:
            ancestor = stack.pop(0)
            if ancestor is known:
                return True
            if id(ancestor) not in seen:
                seen.add(id(ancestor))
                stack += ancestor.parents
        return False

    def backward_begins(self, event: BackwardBegins) -> None:
        """What has become of the updates since the last one?"""
        if not self._candidates:
            return
        used = {id(parent) for node in self.state.flow.created for parent in node.parents}
        waiting: list[_Update] = []
        for update in self._candidates:
            if id(update.node) in used or update.node.cuts:
                self._used.add(update.node.line)
            elif update.result() is None:
                self._throw(update)
            else:
                waiting.append(update)
        self._candidates = waiting

    def _throw(self, update: _Update) -> None:
        node, parameter = update.node, update.parameter()
        if parameter is None:
            return
        line = node.line
        self._records.setdefault(line, DiscardedUpdate(line, node.op, self.state.clock.step, node.shape))
        self._thrown.setdefault(line, {}).setdefault(id(parameter), (update.parameter, set()))[1].add(update.backward)

    def chains_forgotten(self, event: ChainsForgotten) -> None:
        self._candidates.clear()

    def records(self) -> Iterator[DiscardedUpdate]:
        """Of each line whose updates were all thrown away, while the parameters stayed as they were."""
        for line, record in self._records.items():
            thrown = [(ref(), passes) for ref, passes in self._thrown[line].values()]
            known = self.state.training.parameters
            tracks = [known[id(p)] for p, _ in thrown if p is not None and id(p) in known]
            for track in tracks:
                refresh(track)
            record.parameters = len(tracks)
            record.backwards = max(len(passes) for _, passes in thrown)
            if tracks and line not in self._used and all(t.unchanged and not t.gradient_zero for t in tracks):
                yield record
