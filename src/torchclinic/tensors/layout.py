"""Where the elements of a strided tensor lie in its storage, and which shapes the same bytes can take.

Plain integers, no tensor: everything here is decided from shape, stride and offset (in elements).
"""

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from math import gcd, prod

import numpy as np
import torch

from torchclinic.errors import InputError
from torchclinic.tensors.explanation import plural
from torchclinic.tensors.lattice import Term, merge_terms, reachable, visits_twice

COUNTED = 1 << 17  # elements of an overlapping layout whose addresses are listed one by one


@dataclass(frozen=True)
class Layout:
    """Element (i, j, ...) lies `offset + stride[0]·i + stride[1]·j + ...` elements into the storage."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int = 0
    itemsize: int = 4  # bytes per element

    @classmethod
    def of(cls, tensor: torch.Tensor) -> "Layout":
        require_strided(tensor)
        return cls(tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset()), tensor.element_size())

    @property
    def numel(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements, each counted: what a contiguous copy takes."""
        return self.numel * self.itemsize

    @property
    def span(self) -> int:
        """Elements of storage from the first to the last address, inclusive."""
        return 0 if 0 in self.shape else 1 + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))

    @property
    def expanded_dims(self) -> tuple[int, ...]:
        """Dimensions along which every index reads the same address."""
        return tuple(dim for dim, (n, s) in enumerate(zip(self.shape, self.stride, strict=True)) if n > 1 and s == 0)

    @property
    def contiguous(self) -> bool:
        return self.numel == 0 or all(
            n == 1 or s == c for n, s, c in zip(self.shape, self.stride, contiguous_stride(self.shape), strict=True)
        )

    @property
    def dense(self) -> bool:
        """Some order of the dimensions walks the span once, without gap or repetition."""
        if self.numel < 2:
            return True
        expected = 1
        for step, size in sorted((s, n) for n, s in zip(self.shape, self.stride, strict=True) if n != 1):
            if step != expected:
                return False
            expected *= size
        return True

    @cached_property
    def overlapping(self) -> bool | None:
        """Whether two indices share an address; None when that was not decided within the bound."""
        return visits_twice(self.shape, self.stride)

    @cached_property
    def distinct(self) -> int | None:
        """Number of different addresses; None when it cannot be told within the bound."""
        if self.overlapping is False:
            return self.numel
        runs = merge_terms((s, n - 1) for n, s in zip(self.shape, self.stride, strict=True) if s > 0)
        counts = [_count_sums(group) for group in interleaved(runs)]
        return prod(count for count in counts if count is not None) if None not in counts else None

    def address(self, index: Sequence[int]) -> int:
        """Place of an element in the storage, in elements."""
        return self.offset + sum(i * s for i, s in zip(index, self.stride, strict=True))

    def covers(self, address: int) -> bool:
        """Whether some element lies at an address of the storage; False also when that was not decided."""
        terms = [(step, size - 1) for size, step in zip(self.shape, self.stride, strict=True) if step]
        return self.numel > 0 and bool(reachable(terms, address - self.offset, budget=100))

    def permuted(self, dims: Sequence[int]) -> "Layout":
        shape, stride = tuple(self.shape[d] for d in dims), tuple(self.stride[d] for d in dims)
        return Layout(shape, stride, self.offset, self.itemsize)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring dimensions that one stride walks: together they are one dimension of `size` elements."""

    dims: tuple[int, ...]
    size: int
    stride: int  # of the innermost dimension


def interleaved(runs: Iterable[Term]) -> Iterator[list[Term]]:
    """Groups of runs whose sums do not mix: the steps of the later groups share a divisor beyond all earlier sums."""
    ordered = sorted(runs)
    group: list[Term] = []
    span = 0
    for place, (step, bound) in enumerate(ordered):
        if group and gcd(*(later for later, _ in ordered[place:])) > span:
            yield group
            group = []
        group.append((step, bound))
        span += step * bound
    if group:
        yield group


def _count_sums(runs: Sequence[Term]) -> int | None:
    """Number of different sums of runs; None when there are too many to list."""
    if len(runs) == 1:
        return runs[0][1] + 1
    if prod(bound + 1 for _, bound in runs) > COUNTED:
        return None
    sums = np.zeros(1, dtype=np.int64)
    for step, bound in runs:
        sums = np.unique(sums[:, None] + step * np.arange(bound + 1))
    return len(sums)


def require_tensor(value: object) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value
    raise InputError(f"{type(value).__name__} is not a tensor; give a torch.Tensor (torch.as_tensor makes one).")


def require_strided(tensor: torch.Tensor) -> None:
    if tensor.is_nested:
        raise InputError("A nested tensor is a list of tensors of different sizes; explain them one by one (unbind()).")
    if tensor.layout != torch.strided:
        raise InputError(
            f"A {str(tensor.layout).removeprefix('torch.')} tensor has no strides; "
            "explain its parts (values(), indices()) or its to_dense()."
        )


def contiguous_stride(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides as torch computes them: a size of 0 counts as 1."""
    steps = accumulate((max(size, 1) for size in reversed(shape[1:])), operator.mul, initial=1)
    return tuple(steps)[: len(shape)][::-1]


def infer_shape(numel: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Fill in a -1. Raises InputError where `torch.Tensor.view` refuses the shape itself."""
    given = list(shape)
    known = prod(size for size in shape if size != -1)
    if any(size < -1 for size in shape):
        raise InputError(f"Shape {given} has a negative size; only one -1, for the size to infer, is allowed.")
    if shape.count(-1) > 1:
        raise InputError(f"Shape {given} leaves more than one size to infer; write -1 at most once.")
    if -1 not in shape:
        if known != numel:
            raise InputError(f"Shape {given} holds {plural(known, 'element')}, the tensor {numel:,}; the two must be equal.")
        return tuple(shape)
    if known == 0:
        if numel == 0:
            raise InputError(f"In shape {given} the -1 could be any size, as the tensor has 0 elements; write it out.")
        raise InputError(f"Shape {given} holds 0 elements, the tensor {numel:,}; the two must be equal.")
    if numel % known:
        raise InputError(f"No size for the -1 in shape {given} fits: {numel} elements are not a multiple of {known}.")
    return tuple(numel // known if size == -1 else size for size in shape)


def as_sizes(values: Sequence[object], what: str = "shape") -> tuple[int, ...]:
    """(2, 3) or ((2, 3),) -> (2, 3)."""
    if len(values) == 1 and isinstance(values[0], Sequence) and not isinstance(values[0], str):
        values = values[0]
    try:
        return tuple(operator.index(value) for value in values)  # type: ignore[arg-type]
    except TypeError as error:
        raise InputError(f"The {what} {tuple(values)} must be made of integers.") from error


def merge_dims(shape: Sequence[int], stride: Sequence[int]) -> Iterator[Chunk]:
    """The chunks of a layout, innermost first: dimension i joins its right neighbour while
    `stride[i] == size[i+1]·stride[i+1]`; a dimension of size 1 joins any."""
    right = len(shape) - 1
    size = 1
    for dim in range(len(shape) - 1, -1, -1):
        size *= shape[dim]
        if dim == 0 or (shape[dim - 1] != 1 and stride[dim - 1] != size * stride[right]):
            yield Chunk(tuple(range(dim, right + 1)), size, stride[right])
            right, size = dim - 1, 1


def view_stride(shape: Sequence[int], stride: Sequence[int], target: Sequence[int]) -> tuple[int, ...] | None:
    """Strides that give the same elements in the same order under the shape `target`; None when there are none.

    Every target dimension must lie inside one chunk (torch: `computeStride` in ATen/TensorUtils.cpp).
    The number of elements is taken to be equal.
    """
    if not shape:
        return (1,) * len(target)
    if 0 in shape:
        return tuple(stride) if tuple(shape) == tuple(target) else contiguous_stride(target)
    result = [0] * len(target)
    place = len(target) - 1
    for chunk in merge_dims(shape, stride):
        filled = 1
        while place >= 0 and (filled < chunk.size or target[place] == 1):
            result[place] = filled * chunk.stride
            filled *= target[place]
            place -= 1
        if filled != chunk.size:
            return None
    return tuple(result)


def blocking_pairs(shape: Sequence[int], stride: Sequence[int], target: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours (i, j) that a dimension of `target` would have to join and that no stride joins."""
    if 0 in shape:
        return []
    borders = set(suffix_products(target))
    chunks = list(merge_dims(shape, stride))
    pairs, inner = [], 1
    for right, left in pairwise(chunks):
        inner *= right.size
        if inner not in borders:
            first = next((dim for dim in right.dims if shape[dim] != 1), right.dims[0])
            pairs.append((left.dims[-1], first))
    return pairs[::-1]


def cut_shape(shape: Sequence[int], stride: Sequence[int], target: Sequence[int]) -> tuple[int, ...] | None:
    """`target` with a border at every border between chunks; None when one falls between multiples."""
    inner, borders = 1, set()
    for chunk in merge_dims(shape, stride):
        inner *= chunk.size
        borders.add(inner)
    pieces: list[int] = []
    right = 1
    for size in reversed(target):
        left = right * size
        for border in sorted(b for b in borders if right < b < left):
            if border % right:
                return None
            pieces.append(border // right)
            right = border
        if left % right:
            return None
        pieces.append(left // right)
        right = left
    return tuple(pieces[::-1])


def suffix_products(shape: Iterable[int]) -> list[int]:
    """Elements to the right of each border between dimensions, from the innermost out."""
    return list(accumulate(reversed(tuple(shape)), operator.mul, initial=1))
