"""`view`, explained without running it.

A view gives the same bytes another shape. It exists exactly when every dimension of the new shape lies inside one
*chunk*: a run of neighbouring dimensions that merge, because `stride[i] == size[i+1]·stride[i+1]`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from torchclinic.report.model import Block, Prose, Section, Table
from torchclinic.report.results import Figure
from torchclinic.tensors.explanation import Explanation, call_text
from torchclinic.tensors.figures import layout_figure
from torchclinic.tensors.layout import (
    Chunk,
    Layout,
    as_sizes,
    blocking_pairs,
    cut_shape,
    infer_shape,
    merge_dims,
    require_tensor,
    view_stride,
)
from torchclinic.units import format_nbytes


@dataclass(frozen=True, slots=True)
class Fix:
    """A line that works instead, `x` being the tensor."""

    code: str
    copied_bytes: int
    shares_memory: bool  # with x, afterwards
    same_elements: bool  # element for element what `reshape` gives
    note: str  # what it costs, and what it silently stops sharing

    def to_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "copied_bytes": self.copied_bytes,
            "shares_memory": self.shares_memory,
            "same_elements": self.same_elements,
            "note": self.note,
        }


@dataclass(frozen=True)
class ViewExplanation(Explanation):
    """Whether `x.view(*shape)` exists, and what to write when it does not."""

    layout: Layout
    shape: tuple[int, ...]  # the -1 filled in
    strides: tuple[int, ...] | None  # in elements; None when no view exists
    blocking: list[tuple[int, int]]  # neighbours that the shape needs merged and that no stride merges

    @property
    def possible(self) -> bool:
        return self.strides is not None

    @property
    def copied_bytes(self) -> int:
        """Bytes `reshape` copies: none where a view exists, every element otherwise."""
        return 0 if self.possible else self.layout.nbytes

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """The runs of dimensions that one stride walks, outermost first."""
        return tuple(merge_dims(self.layout.shape, self.layout.stride))[::-1] if self.layout.numel else ()

    @cached_property
    def fixes(self) -> list[Fix]:
        """Lines that work, fewest copied bytes first; empty when the view itself works."""
        if self.possible:
            return []
        kept = [fix for fix in (self._keep_apart(), self._permute_back()) if fix is not None]
        return kept + self._copies()

    @property
    def reason(self) -> str:
        """Why the view does or does not exist, in one sentence per blocking pair."""
        if self.possible:
            return f"{call_text('x.view', self.shape)} is a view with strides {self.strides}: nothing is copied."
        shape, stride = self.layout.shape, self.layout.stride
        return " ".join(
            f"Dimensions {i} and {j} cannot merge: a step along {i} moves by {stride[i]}, "
            f"all the steps along {j} by {shape[j]} × {stride[j]} = {shape[j] * stride[j]}."
            for i, j in self.blocking
        )

    @property
    def figure(self) -> Figure:
        """The tensor in its storage."""
        return layout_figure(self.layout)

    def _keep_apart(self) -> Fix | None:
        """The nearest view that works: the wanted shape, cut where the layout is cut."""
        shape = cut_shape(self.layout.shape, self.layout.stride, self.shape)
        if shape is None or view_stride(self.layout.shape, self.layout.stride, shape) is None:
            return None
        note = "no copy, shares memory; the dimensions that cannot merge stay apart, so index with one more number"
        return Fix(call_text("x.view", shape), 0, True, True, note)

    def _permute_back(self) -> Fix | None:
        """Put the dimensions in the order of the storage first: a view, whose elements come in another order."""
        stride = self.layout.stride
        order = sorted(range(len(stride)), key=lambda dim: -stride[dim])
        stored = self.layout.permuted(order)
        if order == sorted(order) or view_stride(stored.shape, stored.stride, self.shape) is None:
            return None
        code = f"{call_text('x.permute', tuple(order))}.{call_text('view', self.shape)}"
        note = "no copy, shares memory; but the elements come in the order of the storage, not in the order of x"
        return Fix(code, 0, True, False, note)

    def _copies(self) -> list[Fix]:
        copied = self.copied_bytes
        lost = "in a new storage: writes to the result no longer reach x"
        if self.layout.expanded_dims:
            lost += "; the elements that expand() repeats are written out"
        view = call_text("view", self.shape)
        return [
            Fix(f"x.contiguous().{view}", copied, False, True, f"copies openly, {lost}"),
            Fix(call_text("x.reshape", self.shape), copied, False, True, f"copies silently, {lost}"),
        ]

    def section(self) -> Section:
        call = call_text("x.view", self.shape)
        columns = ("chunk of dimensions", "elements", "stride")
        rows = tuple((str(chunk.dims), chunk.size, chunk.stride) for chunk in self.chunks)
        rule = "Every dimension of the new shape must lie inside one chunk of dimensions that merge."
        blocks: list[Block] = [
            Prose(f"x has shape {self.layout.shape} and strides {self.layout.stride}.\n\n{self.reason}"),
            Table(columns, rows, rule),
        ]
        if not self.possible:
            blocks.append(_fix_table(self.fixes))
        blocks.append(self.figure)
        return Section(f"{call} is {'possible' if self.possible else 'impossible'}", tuple(blocks))

    def to_dict(self) -> dict[str, Any]:
        return {
            "source": {"shape": list(self.layout.shape), "stride": list(self.layout.stride)},
            "shape": list(self.shape),
            "possible": self.possible,
            "strides": None if self.strides is None else list(self.strides),
            "blocking": [list(pair) for pair in self.blocking],
            "copied_bytes": self.copied_bytes,
            "fixes": [fix.to_dict() for fix in self.fixes],
        }


def explain_view(tensor: torch.Tensor, *shape: int | Sequence[int]) -> ViewExplanation:
    """Say whether `tensor.view(*shape)` works, why, and what to write instead, without running it.

    Agrees with `torch.Tensor.view` on every strided layout: `possible` where torch does not raise, the same strides.

    Raises:
        InputError: no tensor, no strides (sparse, nested), or a shape that no tensor of that size can take.
    """
    layout = Layout.of(require_tensor(tensor))
    target = infer_shape(layout.numel, as_sizes(shape))
    strides = view_stride(layout.shape, layout.stride, target)
    blocking = [] if strides is not None else blocking_pairs(layout.shape, layout.stride, target)
    return ViewExplanation(layout, target, strides, blocking)


def _fix_table(fixes: Sequence[Fix]) -> Table:
    rows = tuple((fix.code, format_nbytes(fix.copied_bytes), fix.note) for fix in fixes)
    return Table(("write instead", "copies", "what it means"), rows, "What works, fewest copied bytes first.")
