"""Losses of earlier steps that are still alive together with their graph."""

from collections.abc import Iterator

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import BackwardBegins, WindowEnded
from torchclinic.observe.records import RetainedGraph
from torchclinic.observe.state.dataflow import Node

LEAST_STEPS = 3  # whose losses are held
MOST_ANCESTORS = 400
_SUMS = frozenset(["add", "add_", "div", "mul"])
_BETWEEN = _SUMS | {"getitem", "sub", "mean", "view", "reshape", "squeeze"}


class RetainedGraphs(Collector):
    def prepare(self) -> None:
        self._sums: dict[str, RetainedGraph] = {}  # by line
        self._first_line = ""  # of the root of the first backward pass

    def backward_begins(self, event: BackwardBegins) -> None:
        self._first_line = self._first_line or event.backward.root_line

    def window_ended(self, event: WindowEnded) -> None:
        """Chains of additions that hold the losses of several steps, each of which was already run backward."""
        for node in self.state.flow.created:
            if node.op in _SUMS and node.requires_grad and node.line not in self._sums:
                steps = _summed_losses(node)
                if len(steps) >= LEAST_STEPS:
                    self._sums[node.line] = RetainedGraph(node.line, max(steps), len(steps), "sum")

    def records(self) -> Iterator[RetainedGraph]:
        yield from self._sums.values()
        roots = self.state.losses.roots
        alive = [(step, line) for step, line, ref in roots if (root := ref()) is not None and root.grad_fn]
        steps = {step for step, _ in alive}
        if len(steps) >= LEAST_STEPS:
            line = next((line for _, line in alive if line), self._first_line)
            yield RetainedGraph(line, max(steps), len(steps), "list")


def _summed_losses(node: Node) -> set[int]:
    steps: set[int] = set()
    stack, seen = [node], 0
    while stack and seen < MOST_ANCESTORS:
        seen += 1
        top = stack.pop()
        if top.root_step is not None:
            steps.add(top.root_step)
        elif top.op in _BETWEEN:
            stack += [parent for parent in top.parents if parent.requires_grad]
    return steps
