"""Reshape mistaken for permute: the same shape, other elements."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from torchclinic.tensors.explanation import call_text
from torchclinic.tensors.layout import Layout


@dataclass(frozen=True)
class Mapping:
    """Two ways from the same tensor to the same shape, which put different elements in it."""

    layout: Layout
    shape: tuple[int, ...]
    dims: tuple[int, ...]  # the permutation that gives `shape`

    @cached_property
    def rows(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]], ...]:
        """Per place of the result, up to 64: (place, element that reshape takes, element that permute takes)."""
        rows = []
        for number in range(min(prod(self.shape), 64)):
            place = unravel(number, self.shape)
            source = [0] * len(place)
            for position, dim in enumerate(self.dims):
                source[dim] = place[position]
            rows.append((place, unravel(number, self.layout.shape), tuple(source)))
        return tuple(rows)

    @property
    def first_difference(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] | None:
        return next((row for row in self.rows if row[1] != row[2]), None)

    @property
    def warning(self) -> str:
        place, taken, meant = self.first_difference or ((), (), ())
        return (
            f"{call_text('x.reshape', self.shape)} has the shape of {call_text('x.permute', self.dims)} but not its elements: at "
            f"{place} it holds x{list(taken)}, the permutation x{list(meant)}. To swap dimensions, permute."
        )


def permutation_between(shape: Sequence[int], target: Sequence[int]) -> tuple[int, ...] | None:
    """Dimensions of `shape` in the order that gives `target`; None when there is none, or when nothing moves."""
    if tuple(shape) == tuple(target) or sorted(shape) != sorted(target):
        return None
    free = list(range(len(shape)))
    order = []
    for size in target:
        dim = next(dim for dim in free if shape[dim] == size)
        free.remove(dim)
        order.append(dim)
    return tuple(order)


def unravel(number: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major index of element `number`."""
    index = []
    for size in reversed(shape):
        number, place = divmod(number, size)
        index.append(place)
    return tuple(reversed(index))
