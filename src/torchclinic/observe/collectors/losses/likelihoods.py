"""Log-likelihoods that are put together from logarithms of probabilities, told by the operations that made them."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from torchclinic.observe.records import Operand
from torchclinic.observe.state.dataflow import Node

_LOGARITHMS = {"log", "log1p", "log_sigmoid"}
_GUARDS = {"clamp", "clip", "clamp_min", "clamp_max", "add", "sub", "neg"}  # p + 1e-8, 1 - p


def is_log_probability(made: Node) -> bool:
    """log_softmax, or the logarithm of a softmax with at most a guard against zero."""
    return made.op == "log_softmax" or (made.op == "log" and _source(made.parents[0]).op == "softmax")


def logits_of(made: Node) -> Node:
    """What went into the softmax of log-probabilities."""
    softmax = made if made.op == "log_softmax" else _source(made.parents[0])
    return softmax.parents[0].producer()


def operand_of(made: Node, like: Operand) -> Operand:
    """A tensor that is known by what made it: the values of a softmax sum to 1, all others are not known."""
    facts = Operand(like.shape, like.dtype, True, made.op, made.origin(), made.scale, finite=like.finite)
    return replace(facts, minimum=0.0, row_sum_low=1.0, row_sum_high=1.0) if made.op == "softmax" else facts


def picks(op: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The indices of one column for each row, or None."""
    if op == "getitem":
        index = args[1] if len(args) > 1 else None
        return index[1] if isinstance(index, tuple) and len(index) == 2 and isinstance(index[1], Tensor) else None
    index = kwargs.get("index", kwargs.get("indices"))
    return index if index is not None else next((arg for arg in args[1:] if isinstance(arg, Tensor)), None)


def are_distributions(target: Tensor) -> bool:
    """Each row is non-negative and sums to 1."""
    target = target.detach()
    sums = target.sum(1)
    return bool((target >= 0).all() & torch.isclose(sums, torch.ones_like(sums), atol=1e-3).all())


def binary(node: Node) -> tuple[Node, Node, bool] | None:
    """Of y · log(p) + (1 - y) · log(1 - p): what made p, y itself, and whether p is a sigmoid inside of the logarithm."""
    if len(node.parents) != 2:
        return None
    products = [parent.producer() for parent in node.parents]
    if any(product.op != "mul" or len(product.parents) != 2 for product in products):
        return None
    (logs, labels), (other_logs, other_labels) = (_sides(product) for product in products)
    if logs is None or other_logs is None or labels is None or other_labels is None:
        return None
    logits = logs.op == "log_sigmoid"
    sources = _source(logs.parents[0]), _source(other_logs.parents[0])
    turned = [side.producer().op == "sub" and len(side.producer().parents) == 1 for side in (labels, other_labels)]
    if sources[0] is not sources[1] or logits != (other_logs.op == "log_sigmoid") or sum(turned) != 1:
        return None
    plain, mirrored = (other_labels, labels) if turned[0] else (labels, other_labels)
    same = mirrored.producer().parents[0].producer() is plain.producer()
    return (sources[0], plain, logits) if same else None


def _sides(product: Node) -> tuple[Node | None, Node | None]:
    """The logarithm and the data of a product."""
    logs = [parent.producer() for parent in product.parents if parent.producer().op in _LOGARITHMS]
    data = [parent for parent in product.parents if not parent.requires_grad]
    return (logs[0], data[0]) if len(logs) == len(data) == 1 else (None, None)


def _source(node: Node) -> Node:
    """Guards and mirror images of a probability are looked through."""
    made = node.producer()
    while made.op in _GUARDS and len(made.parents) == 1:
        made = made.parents[0].producer()
    return made
