"""What the value that a backward pass starts from is put together from, and by which factors."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan, prod

from torchclinic.observe.state.dataflow import TRANSPARENT, Node
from torchclinic.vocabulary import PARTS, SCALING, SUMS

MOST_NODES = 400
_SUMS = SUMS | {"stack", "cat"}
_ROOTS = {"sqrt", "log"}  # they rise with what they are of


@dataclass(frozen=True, slots=True)
class Term:
    node: Node
    factor: float  # of each of its elements; NaN where its sign is not known
    exact: bool = True  # the factor is the same for all elements, and all that happens to them
    whole: bool = True  # no elements were left out, by a part or a weight of 0


@dataclass(slots=True)
class Seen:
    """Identities of nodes."""

    terms: set[int]  # where the search ends
    positive: set[int]  # products with data none of which is negative
    nonzero: set[int]  # or zero


def terms(root: Node, seen: Seen) -> Iterator[Term]:
    """What `root` is a sum of."""
    stack, left = [Term(root, 1.0)], MOST_NODES
    while stack and left:
        left -= 1
        term = stack.pop()
        below = [] if id(term.node) in seen.terms else list(_below(term, seen))
        if below:
            stack += below
        else:
            yield term


def _below(term: Term, seen: Seen) -> Iterator[Term]:
    """The parents that gradients flow to, unless the node is more than a sum or a product with data."""
    node = term.node
    trained = [parent for parent in node.parents if parent.requires_grad]
    one = len(trained) == 1
    if node.op in _SUMS:
        for place, parent in enumerate(node.parents):
            if parent.requires_grad:
                negative = node.op.startswith("sub") and (place == 1 or node.reflected)
                yield _step(term, parent, -1.0 if negative else 1.0)
    elif one and node.op in TRANSPARENT:
        yield _step(term, trained[0], 1.0, whole=node.op not in PARTS)
    elif one and node.op in ("neg", "sum"):
        yield _step(term, trained[0], -1.0 if node.op == "neg" else 1.0)
    elif one and node.op == "mean" and (averaged := prod(trained[0].shape)):
        yield _step(term, trained[0], prod(node.shape) / averaged)
    elif one and node.op in _ROOTS:
        yield _step(term, trained[0], 1.0, exact=False)
    elif one and node.op in SCALING and not node.reflected:
        if len(node.parents) == 1:
            yield _step(term, trained[0], node.scale or nan, exact=bool(node.scale))
        elif len(node.parents) == 2 and (node.op.startswith("mul") or node.parents[0] is trained[0]):
            factor = 1.0 if id(node) in seen.positive else nan
            yield _step(term, trained[0], factor, exact=False, whole=id(node) in seen.nonzero)


def _step(term: Term, parent: Node, factor: float, *, exact: bool = True, whole: bool = True) -> Term:
    return Term(parent, term.factor * factor, term.exact and exact, term.whole and whole)
