"""Which operation made which tensor, on which line: a `TorchFunctionMode` that is active on observed steps only.

It sees the calls of the user's code and of modules as they are written (`cross_entropy`, `reshape`, `a - b`), before
autograd, so it also follows `detach`, `numpy`, comparisons and everything under `no_grad`. Tensors are held weakly.
"""

import weakref
from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.nn.parameter import is_lazy

from torchclinic.instruments.values import arguments_in
from torchclinic.script.lines import user_line
from torchclinic.vocabulary import CASTS, PARTS, SHAPE_CHANGES

TRANSPARENT = SHAPE_CHANGES | CASTS | PARTS | {"detach", "data", "requires_grad_", "identity"}
"""Operations that give the values of their argument, in another shape or type or without a gradient."""
MOST_NODES = 60_000


class Node:
    """One operation's result."""

    __slots__ = (
        "built",
        "cuts",
        "entered",
        "inserted_axis",
        "line",
        "numel",
        "op",
        "parents",
        "reflected",
        "requires_grad",
        "root_step",
        "scale",
        "shape",
        "step",
        "used",
        "where",
    )

    def __init__(self, op: str, line: str, where: str, step: int, parents: tuple["Node", ...], tensor: Tensor) -> None:
        self.op = op
        self.line = line
        self.built = ""  # where the module of torch's that ran the operation was made
        self.where = where
        self.step = step
        self.parents = parents
        self.shape = tuple(tensor.shape) if not is_lazy(tensor) else ()
        self.requires_grad = tensor.requires_grad
        self.used = False  # a backward pass started at or below it
        self.entered = False  # ... or its value alone entered what the pass started from
        self.root_step: int | None = None
        self.cuts: list[tuple[str, str]] = []  # numpy, item, tolist ... taken from it
        self.scale = 0.0  # the probability of a dropout; the number by which a scalar is multiplied
        self.inserted_axis = op == "unsqueeze"
        self.reflected = False  # called as `1 - x`, `1 / x` or `2 ** x`: the number came first

    def origin(self) -> str:
        """The line to look at: where the module was made if it is one of torch's, else where the operation ran."""
        return self.built or self.line

    def producer(self) -> "Node":
        """The operation that gave the values: changes of shape and type are looked through."""
        node = self
        while node.op in TRANSPARENT and node.parents:
            node = node.parents[0]
        return node

    def ancestors(self) -> Iterator["Node"]:
        seen: set[int] = set()
        stack = [self]
        while stack:
            node = stack.pop()
            if id(node) not in seen:
                seen.add(id(node))
                yield node
                stack += node.parents


class Dataflow:
    """The graph of one window of observed steps."""

    def __init__(self) -> None:
        self._nodes: dict[int, tuple[weakref.ref[Tensor], Node]] = {}
        self.created: list[Node] = []

    def clear(self) -> None:
        self._nodes.clear()
        self.created.clear()

    def full(self) -> bool:
        return len(self.created) >= MOST_NODES

    def node_of(self, tensor: object) -> Node | None:
        entry = self._nodes.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else None

    def tensor_of(self, node: Node) -> Tensor | None:
        return next((entry[0]() for entry in self._nodes.values() if entry[1] is node), None)

    def put(self, tensor: Tensor, node: Node) -> None:
        self._nodes[id(tensor)] = (weakref.ref(tensor), node)
        self.created.append(node)

    def leaf(self, tensor: Tensor) -> Node:
        """The node of a tensor that no observed operation made."""
        node = self.node_of(tensor)
        if node is None:
            node = Node("", "", "", -1, (), tensor)
            self.put(tensor, node)
        return node

    def mark_used(self, root: Node) -> None:
        """What a backward pass from `root` goes through: not what was detached, nor what a gradient was taken of."""
        stack = [root]
        while stack:
            node = stack.pop()
            if not node.used:
                node.used = True
                stack += [parent for parent in node.parents if parent.requires_grad]

    def mark_entered(self, root: Node) -> None:
        """Whatever the value of `root` was computed from, with gradients or without."""
        stack = [root]
        while stack:
            node = stack.pop()
            if not node.entered:
                node.entered = True
                stack += node.parents


def make_node(
    flow: Dataflow, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], tensor: Tensor, step: int, where: str, built: str = ""
) -> Node:
    """Record that `name(*args, **kwargs)` gave `tensor`."""
    inputs = (*args, *kwargs.values()) if kwargs else args
    parents = tuple(flow.leaf(argument) for argument in arguments_in(inputs))
    node = Node(name, user_line(3), where, step, parents, tensor)
    node.built = built
    flow.put(tensor, node)
    return node
