"""Broadcasting, explained without running it: which dimensions are stretched, and when that is dangerous."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Any

import torch

from torchclinic.errors import InputError
from torchclinic.report.model import Block, Prose, Section, Table
from torchclinic.report.results import Figure
from torchclinic.tensors.explanation import Explanation
from torchclinic.tensors.figures import broadcast_figure
from torchclinic.tensors.layout import as_sizes
from torchclinic.units import format_count, format_nbytes

GROWTH = 16  # a result with more than this many times the elements of its largest operand is warned about


@dataclass(frozen=True, slots=True)
class Operand:
    shape: tuple[int, ...]
    dtype: torch.dtype
    is_number: bool = False  # a Python number: its dtype gives way to any tensor's of the same kind

    @property
    def numel(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two operands whose sizes differ in a dimension, none of them 1."""

    dim: int  # counted from the right: -1 is the last
    operands: tuple[int, int]
    sizes: tuple[int, int]

    def __str__(self) -> str:
        return (
            f"in dimension {self.dim} operand {self.operands[0]} has size {self.sizes[0]} and operand "
            f"{self.operands[1]} size {self.sizes[1]}; sizes must be equal, or one of them 1"
        )

    def to_dict(self) -> dict[str, Any]:
        return {"dim": self.dim, "operands": list(self.operands), "sizes": list(self.sizes)}


@dataclass(frozen=True)
class BroadcastExplanation(Explanation):
    """What elementwise arithmetic on the operands does to their shapes."""

    operands: tuple[Operand, ...]
    shape: tuple[int, ...] | None  # of the result; None on a conflict
    conflict: Conflict | None
    stretched: tuple[tuple[int, ...], ...]  # per operand: dimensions of the result along which its stride is 0
    dtype: torch.dtype  # of the result of arithmetic

    @property
    def bytes(self) -> int:
        """Bytes the operands take; stretching them takes no more."""
        return sum(operand.nbytes for operand in self.operands)

    @property
    def materialized_bytes(self) -> int:
        """Bytes of a tensor of the result's shape: what a stretched operand would take written out."""
        return 0 if self.shape is None else prod(self.shape) * self.dtype.itemsize

    @property
    def growth(self) -> float:
        """Elements of the result per element of the largest operand."""
        largest = max(operand.numel for operand in self.operands)
        return prod(self.shape) / largest if self.shape is not None and largest else 1.0

    @property
    def warnings(self) -> list[str]:
        return [] if self.shape is None else [*_column_against_row(self), *_outer_product(self), *_metric(self)]

    def source(self, index: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Where the result's element `index` comes from: the index into each operand."""
        sources = []
        for operand in self.operands:
            own = tuple(index)[len(index) - len(operand.shape) :]
            sources.append(tuple(0 if size == 1 else i for i, size in zip(own, operand.shape, strict=True)))
        return tuple(sources)

    def section(self) -> Section:
        shapes = " with ".join(str(operand.shape) for operand in self.operands)
        columns = ("operand", "shape", "stretched dims", "takes", "written out")
        rows = tuple(
            (number, str(o.shape), str(dims), format_nbytes(o.nbytes), format_nbytes(self._written_out(o)))
            for number, (o, dims) in enumerate(zip(self.operands, self.stretched, strict=True))
        )
        blocks: list[Block] = [Table(columns, rows, "A stretched dimension has stride 0: one element, read many times.")]
        if self.shape is None:
            summary = f"Cannot broadcast {shapes}: {self.conflict}."
        else:
            summary = f"{shapes} gives {self.shape}, {format_nbytes(self.materialized_bytes)}."
            blocks += [Prose("\n\n".join(self.warnings))] if self.warnings else []
            blocks.append(self.figure)
        return Section(f"Broadcast {shapes}", (Prose(summary), *blocks))

    @property
    def figure(self) -> Figure:
        """Where each cell of the result comes from. There is none for a conflict."""
        assert self.shape is not None, "a conflict has no result to draw"
        return broadcast_figure(self)

    def _written_out(self, operand: Operand) -> int:
        return operand.nbytes if self.shape is None else prod(self.shape) * operand.dtype.itemsize

    def to_dict(self) -> dict[str, Any]:
        return {
            "operands": [list(operand.shape) for operand in self.operands],
            "shape": None if self.shape is None else list(self.shape),
            "conflict": None if self.conflict is None else self.conflict.to_dict(),
            "stretched": [list(dims) for dims in self.stretched],
            "bytes": self.bytes,
            "materialized_bytes": self.materialized_bytes,
            "warnings": self.warnings,
        }


def explain_broadcast(*operands: torch.Tensor | Sequence[int] | float) -> BroadcastExplanation:
    """Say which shape elementwise arithmetic on `operands` gives, what is stretched, and what is dangerous about it.

    An operand is a tensor, a shape, or a number (shape ()). A shape alone counts as the default dtype.

    Raises:
        InputError: no operand, or one that is neither tensor nor shape nor number.
    """
    if not operands:
        raise InputError("explain_broadcast needs at least one tensor or shape.")
    given = tuple(_as_operand(operand) for operand in operands)
    rank = max(len(operand.shape) for operand in given)
    padded = [(1,) * (rank - len(operand.shape)) + operand.shape for operand in given]
    dtype = result_dtype(given)
    conflict = _find_conflict(padded, rank)
    if conflict is not None:
        return BroadcastExplanation(given, None, conflict, tuple(() for _ in given), dtype)
    shape = tuple(next((n for n in sizes if n != 1), 1) for sizes in zip(*padded, strict=True))
    stretched = tuple(tuple(dim for dim in range(rank) if own[dim] == 1 and shape[dim] != 1) for own in padded)
    return BroadcastExplanation(given, shape, None, stretched, dtype)


def _as_operand(value: object) -> Operand:
    if isinstance(value, torch.Tensor):
        return Operand(tuple(value.shape), value.dtype)
    if isinstance(value, int | float | complex):
        return Operand((), torch.result_type(value, value), is_number=True)
    if isinstance(value, Sequence) and not isinstance(value, str):
        shape = as_sizes((tuple(value),))
        if any(size < 0 for size in shape):
            raise InputError(f"The shape {shape} has a negative size; sizes are 0 or more.")
        return Operand(shape, torch.get_default_dtype())
    raise InputError(f"{type(value).__name__} is neither a tensor nor a shape; give a torch.Tensor or a tuple of sizes.")


def result_dtype(operands: Sequence[Operand]) -> torch.dtype:
    """As `torch.result_type`: tensors with dimensions, then 0-d tensors, then numbers; a higher kind wins."""
    tiers = [
        [o.dtype for o in operands if o.shape],
        [o.dtype for o in operands if not o.shape and not o.is_number],
        [o.dtype for o in operands if o.is_number],
    ]
    results = [reduce(torch.promote_types, tier) for tier in tiers if tier]
    return reduce(lambda lower, higher: _combine(higher, lower), reversed(results))


def _combine(higher: torch.dtype, lower: torch.dtype) -> torch.dtype:
    """The higher tier's dtype, made of the lower one's kind where that is wider (ATen: `combine_categories`)."""
    if _kind(lower) <= _kind(higher):
        return higher
    return torch.promote_types(higher, torch.complex32 if higher.is_floating_point else lower)


def _kind(dtype: torch.dtype) -> int:
    """bool < integer < floating < complex."""
    return 3 if dtype.is_complex else 2 if dtype.is_floating_point else int(dtype != torch.bool)


def _find_conflict(padded: Sequence[tuple[int, ...]], rank: int) -> Conflict | None:
    for dim in range(rank - 1, -1, -1):
        first = next((number for number, own in enumerate(padded) if own[dim] != 1), None)
        for number, own in enumerate(padded):
            if first is not None and own[dim] not in (1, padded[first][dim]):
                return Conflict(dim - rank, (first, number), (padded[first][dim], own[dim]))
    return None


def _pairs_up(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """(..., N, 1) against (..., N): every element of one meets every element of the other."""
    return len(a) == len(b) + 1 and a[-1] == 1 and a[:-1] == b and b[-1] > 1


def _column_row_pair(explained: BroadcastExplanation) -> tuple[Operand, Operand] | None:
    operands = explained.operands
    pairs = ((a, b) for a in operands for b in operands if _pairs_up(a.shape, b.shape))
    return next(pairs, None)


def _column_against_row(explained: BroadcastExplanation) -> list[str]:
    pair = _column_row_pair(explained)
    if pair is None:
        return []
    column, row = pair
    count = row.shape[-1]
    return [
        f"{column.shape} with {row.shape} gives {explained.shape}: every one of {count} rows meets all {count} values "
        f"instead of its own. Remove the 1 with squeeze(-1), or add it to the other with unsqueeze(-1)."
    ]


def _outer_product(explained: BroadcastExplanation) -> list[str]:
    if explained.growth <= GROWTH:
        return []
    return [
        f"The result has {format_count(explained.growth)} times the elements of the largest operand: "
        f"{format_nbytes(explained.materialized_bytes)} from {format_nbytes(explained.bytes)}, an outer product."
    ]


def _metric(explained: BroadcastExplanation) -> list[str]:
    """Labels are compared, not added: a comparison that pairs everything with everything is no accuracy."""
    pair = _column_row_pair(explained)
    if pair is None or any(operand.dtype.is_floating_point for operand in explained.operands):
        return []
    assert explained.shape is not None
    return [
        f"As a metric, (a == b).sum() counts {format_count(prod(explained.shape))} pairs for "
        f"{format_count(pair[1].numel)} samples, so an accuracy can come out above 1 and its mean means nothing."
    ]
