"""Draws of random numbers in a graph of operations, and which of them keep a gradient from their distribution."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from torchclinic.observe.state.dataflow import TRANSPARENT, Node
from torchclinic.vocabulary import CONSTANTS, JOINS, POWERS, RANDOM_FILLS, RANDOM_LIKE, REDUCTIONS, SCALING, SUMS

MOST_ANCESTORS = 20_000  # of the root of a backward pass
MOST_REGION = 200  # operations between a draw and what uses it
_DELIBERATE = {"detach", "data", "detach_"}  # said in so many words
_VIEWS = (TRANSPARENT - _DELIBERATE) | {"broadcast_tensors", "chunk", "split", "unbind"}
_JOINS = _VIEWS | JOINS | {"add", "mul"}
_ELEMENTWISE = (_JOINS | SUMS | SCALING | POWERS | REDUCTIONS) | frozenset(
    "neg exp log log1p sqrt sign tanh sigmoid softplus clamp clamp_min clamp_max lerp addcmul erfinv".split()
)
_SMOOTH = _ELEMENTWISE | {"matmul", "mv", "bmm"}
_RANDOM = RANDOM_LIKE | RANDOM_FILLS | {"cauchy_", "_standard_gamma", "_sample_dirichlet"}
_REGION = _SMOOTH | _RANDOM
_WEIGHTING = _JOINS | REDUCTIONS | {"div", "neg", "where", "masked_fill"}


Empty = Callable[[Node], bool]  # whether a gradient that comes to an operation's result ends there


def where(node: Node) -> str:
    """The module that made what an operation element by element was called with."""
    while not node.where and node.op in _ELEMENTWISE and node.parents:
        node = node.parents[0]
    return node.where


def may_cut(root: Node) -> bool:
    """Whether anything random, and anything that leaves a gradient behind, is among the ancestors."""
    random = left = False
    for node in islice(root.ancestors(), MOST_ANCESTORS):
        random = random or node.op in _RANDOM
        left = left or _leaves_gradients(node)
        if random and left:
            return True
    return False


def _left_empty(node: Node) -> bool:
    """No gradient goes through it; the one of `torch.normal` is zero."""
    return not node.requires_grad or node.op == "normal"


def _leaves_gradients(node: Node, empty: Empty = _left_empty) -> bool:
    return empty(node) and node.op in _REGION and any(not empty(p) and p.op for p in node.parents)


class Draw(NamedTuple):
    """A random value without gradient that smooth operations made of tensors with gradients."""

    node: Node  # the operation that left the gradients behind
    parameters: list[Node]


def draw_of(value: Node, empty: Empty) -> Draw | None:
    """The draw that gave a value without gradient, if one did."""
    seen, stack, random = {id(value)}, [value], False
    parameters: list[Node] = []
    first: Node | None = None
    while stack and len(seen) < MOST_REGION:
        node = stack.pop()
        if node.op not in _REGION:
            continue
        random = random or node.op in _RANDOM
        if _leaves_gradients(node, empty):
            first = first or node
            parameters += (source for p in node.parents if not empty(p) for source in _looked_through(p))
        fresh = [p for p in node.parents if empty(p) and id(p) not in seen]
        seen.update(map(id, fresh))
        stack += fresh
    return Draw(first, parameters) if random and first is not None else None


def draws_in(nodes: Iterable[Node]) -> Iterator[Draw]:
    for node in nodes:
        if _leaves_gradients(node):
            draw = draw_of(node, _left_empty)
            if draw is not None:
                yield draw


def _looked_through(node: Node) -> Iterator[Node]:
    """What gave the values of a view; a leaf is a weight that others may use as well."""
    if node.op:
        yield node
    if node.op in _VIEWS:
        for parent in node.parents:
            if parent.requires_grad:
                yield from _looked_through(parent)


class Graph:
    """What a backward pass goes through."""

    def __init__(self, root: Node) -> None:
        self.nodes: dict[int, Node] = {}
        self.users: dict[int, list[Node]] = {}
        stack = [root]
        while stack and len(self.nodes) < MOST_ANCESTORS:
            node = stack.pop()
            if id(node) in self.nodes:
                continue
            self.nodes[id(node)] = node
            for parent in node.parents if node.op != "normal" else ():
                if parent.requires_grad:
                    self.users.setdefault(id(parent), []).append(node)
                    stack.append(parent)
        self._hollow: dict[int, Node] = {}
        self._hollow_out([node for node in self.nodes.values() if node.op == "normal"])

    def _hollow_out(self, stack: list[Node]) -> None:
        """Take out what gets a gradient to `torch.normal` alone."""
        while stack:
            node = stack.pop()
            if id(node) not in self._hollow:
                self._hollow[id(node)] = self.nodes.pop(id(node))
                stack += (user for user in self.users.get(id(node), ()) if all(map(self.empty, user.parents)))

    def empty(self, node: Node) -> bool:
        return not node.requires_grad or id(node) in self._hollow

    def data(self) -> Iterator[tuple[Node, Node]]:
        """Operations of it, each with an argument that has no gradient and was made by an operation."""
        for node in self.nodes.values():
            yield from ((node, parent) for parent in node.parents if self.empty(parent) and parent.op)

    def cut(self, parameters: list[Node], users: list[Node]) -> bool:
        """Whether draws with these parameters, used by these operations, keep a gradient from the parameters."""
        sources = [node for node in parameters if id(node) in self.nodes]
        behind = self._behind(sources)
        if not sources or any(id(user) in behind or self._compares(user) for user in users):
            return False
        if any(map(_trains, behind.values())):
            return False
        own = {id(leaf) for source in sources for leaf in _leaves(source)}
        return any(self._meets_others(user, own, behind) for user in users)

    def _compares(self, user: Node) -> bool:
        """Whether an operation holds a value without gradient against one that was computed with gradients."""
        return user.op not in _JOINS and not _weights(user) and not all(map(self.empty, user.parents))

    def _behind(self, sources: list[Node]) -> dict[int, Node]:
        """Everything by which the sources get their gradient."""
        found: dict[int, Node] = {}
        stack = [user for source in sources for user in self.users.get(id(source), ())]
        while stack:
            node = stack.pop()
            if id(node) not in found:
                found[id(node)] = node
                stack += self.users.get(id(node), ())
        return found

    def _meets_others(self, user: Node, own: set[int], behind: dict[int, Node]) -> bool:
        """Whether there are weights among the first that a value meets which are none of `own`."""
        stack, seen = [user], 0
        while stack and seen < MOST_REGION:
            node, seen = stack.pop(), seen + 1
            weights = _weights(node)
            if any(id(weight) not in own for weight in weights):
                return True
            if not weights and node.op in _JOINS and id(node) not in behind:
                stack += self.users.get(id(node), ())
        return False


def _leaves(node: Node) -> Iterable[Node]:
    return (other for other in islice(node.ancestors(), MOST_ANCESTORS) if not other.op and other.requires_grad)


def _weights(node: Node) -> list[Node]:
    """Leaves with gradients that an operation does more with than combine them element by element."""
    if node.op in _ELEMENTWISE or node.op in _WEIGHTING:
        return []
    made = (parent.producer() for parent in node.parents)
    return [leaf for leaf in made if not leaf.op and leaf.requires_grad]


def _trains(node: Node) -> bool:
    """Whether an operation gives what it is called with the gradient of a task: by weights, or by comparing with data."""
    if _weights(node):
        return True
    if node.op in _WEIGHTING or len(node.parents) < 2:
        return False
    rows = node.parents[0].shape[:1]
    return rows != () and any(not p.requires_grad and p.shape[:1] == rows and not _constant(p) for p in node.parents)


def _constant(node: Node) -> bool:
    if node.op in _VIEWS and node.parents:
        return all(map(_constant, node.parents))
    return node.op in CONSTANTS or node.shape == ()
