"""Overlap of a prediction with a mask, as in Dice and IoU: the sum of their product over a sum of both."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collectors.losses.linear_terms import Seen, terms
from torchclinic.observe.state.dataflow import Node

MOST_WAITING = 32


@dataclass(slots=True)
class Product:
    """A prediction in [0, 1] times a mask of zeros and ones."""

    node: Node
    prediction: Node
    target: Node
    error: Tensor  # mean distance of the prediction from the mask: the mean of that inside and of that outside


@dataclass(slots=True)
class Overlap:
    node: Node
    targets: list[Node]
    error: Tensor


def comparable(args: tuple[Any, ...]) -> tuple[Tensor, Tensor] | None:
    """Two tensors of one shape, one that requires grad and one that does not, in this order."""
    if len(args) != 2 or not (is_plain(args[0]) and is_plain(args[1])) or args[0].shape != args[1].shape:
        return None
    if args[0].requires_grad == args[1].requires_grad or args[0].is_complex() or args[1].is_complex():
        return None
    return (args[0], args[1]) if args[0].requires_grad else (args[1], args[0])


class Overlaps:
    def __init__(self) -> None:
        self._products: dict[int, Product] = {}

    def __bool__(self) -> bool:
        return bool(self._products)

    def clear(self) -> None:
        self._products.clear()

    def multiplied(self, node: Node, trained: Node, weight: Node, prediction: Tensor, target: Tensor) -> None:
        """Note the product if it is one of probabilities with a mask that has both an inside and an outside."""
        p, mask = prediction.detach(), target.detach()
        inside = mask == 1
        bounds = bool((inside | (mask == 0)).all() & inside.any() & ~inside.all() & (p >= 0).all() & (p <= 1).all())
        if bounds:
            error = (1 - p[inside].mean() + p[~inside].mean()) / 2
            self._products[id(node)] = Product(node, trained.producer(), weight.producer(), error)
        if len(self._products) > MOST_WAITING:
            del self._products[next(iter(self._products))]

    def below(self, ratio: Node) -> Overlap | None:
        """The products in the numerator, if the denominator adds up each prediction and each mask."""
        if not ratio.op.startswith("div") or len(ratio.parents) != 2:
            return None
        products = list(self._in(ratio.parents[0]))
        denominator = {id(node) for node in ratio.parents[1].ancestors()}
        if not products or any(not {id(p.prediction), id(p.target)} <= denominator for p in products):
            return None
        error = torch.stack([product.error for product in products]).mean()
        return Overlap(products[0].node, [product.target for product in products], error)

    def _in(self, numerator: Node) -> Iterator[Product]:
        for term in terms(numerator, Seen(set(self._products), set(), set())):
            if (product := self._products.get(id(term.node))) is not None:
                yield product
