"""`reshape` and `permute`, explained without running them: which copies, and which of the two was meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from torchclinic.errors import InputError
from torchclinic.report.model import Block, Prose, Section
from torchclinic.report.results import Figure
from torchclinic.tensors.explanation import Explanation, call_text
from torchclinic.tensors.figures import layout_figure, mapping_figure
from torchclinic.tensors.layout import Layout, as_sizes, blocking_pairs, contiguous_stride, require_tensor
from torchclinic.tensors.mapping import Mapping, permutation_between
from torchclinic.tensors.views import ViewExplanation, explain_view
from torchclinic.units import format_nbytes


@dataclass(frozen=True)
class ReshapeExplanation(Explanation):
    """What `x.reshape(*shape)` does: a view where one exists, a copy otherwise."""

    view: ViewExplanation
    mistaken: Mapping | None  # set when a permutation gives the same shape with other elements

    @property
    def shape(self) -> tuple[int, ...]:
        return self.view.shape

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the result: the view's, or those of the contiguous copy."""
        return contiguous_stride(self.shape) if self.view.strides is None else self.view.strides

    @property
    def shares_memory(self) -> bool:
        return self.view.possible

    @property
    def copied_bytes(self) -> int:
        return self.view.copied_bytes

    @property
    def warnings(self) -> list[str]:
        return [] if self.mistaken is None else [self.mistaken.warning]

    def section(self) -> Section:
        call = call_text("x.reshape", self.shape)
        what = (
            "gives a view: nothing is copied, writes reach x"
            if self.shares_memory
            else f"copies {format_nbytes(self.copied_bytes)}: writes to the result do not reach x"
        )
        blocks: list[Block] = [Prose(f"{call} {what}.\n\n{self.view.reason}")]
        if self.mistaken is not None:
            blocks += [Prose(self.mistaken.warning), self.figure]
        return Section(call, tuple(blocks))

    @property
    def figure(self) -> Figure:
        """Reshape and permute side by side where one may be mistaken for the other, the storage otherwise."""
        return self.view.figure if self.mistaken is None else mapping_figure(self.mistaken)

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.view.to_dict(),
            "strides": list(self.strides),
            "shares_memory": self.shares_memory,
            "permutation": None if self.mistaken is None else list(self.mistaken.dims),
            "warnings": self.warnings,
        }


@dataclass(frozen=True)
class PermuteExplanation(Explanation):
    """What `x.permute(*dims)` does: the same bytes, with shape and strides in another order."""

    layout: Layout
    dims: tuple[int, ...]
    result: Layout
    mistaken: Mapping | None  # set when a reshape to the same shape gives other elements

    @property
    def shape(self) -> tuple[int, ...]:
        return self.result.shape

    @property
    def strides(self) -> tuple[int, ...]:
        return self.result.stride

    @property
    def contiguous(self) -> bool:
        return self.result.contiguous

    @property
    def copied_bytes(self) -> int:
        return 0

    @cached_property
    def blocking(self) -> list[tuple[int, int]]:
        """Neighbours of the result that no later view can merge."""
        return blocking_pairs(self.shape, self.strides, (self.result.numel,))

    def section(self) -> Section:
        call = call_text("x.permute", self.dims)
        text = f"{call} copies nothing: shape {self.shape}, strides {self.strides}."
        if self.blocking:
            pairs = ", ".join(map(str, self.blocking))
            text += f" Afterwards no view can merge the dimensions {pairs}."
        blocks: list[Block] = [Prose(text), layout_figure(self.result)]
        if self.mistaken is not None:
            blocks += [Prose(self.mistaken.warning), mapping_figure(self.mistaken)]
        return Section(call, tuple(blocks))

    def to_dict(self) -> dict[str, Any]:
        return {
            "source": {"shape": list(self.layout.shape), "stride": list(self.layout.stride)},
            "dims": list(self.dims),
            "shape": list(self.shape),
            "strides": list(self.strides),
            "contiguous": self.contiguous,
            "copied_bytes": self.copied_bytes,
            "blocking": [list(pair) for pair in self.blocking],
        }


def explain_reshape(tensor: torch.Tensor, *shape: int | Sequence[int]) -> ReshapeExplanation:
    """Say whether `tensor.reshape(*shape)` copies, how many bytes, and whether a permutation was meant.

    Raises:
        InputError: as `explain_view`.
    """
    view = explain_view(tensor, *shape)
    dims = permutation_between(view.layout.shape, view.shape)
    mistaken = None if dims is None else Mapping(view.layout, view.shape, dims)
    return ReshapeExplanation(view, mistaken if mistaken and mistaken.first_difference else None)


def explain_permute(tensor: torch.Tensor, *dims: int | Sequence[int]) -> PermuteExplanation:
    """Say what `tensor.permute(*dims)` does to the strides, and which later views it rules out.

    Raises:
        InputError: no tensor, no strides, or `dims` is not every dimension once.
    """
    layout = Layout.of(require_tensor(tensor))
    given = as_sizes(dims, "order")
    rank = len(layout.shape)
    order = tuple(dim + rank if dim < 0 else dim for dim in given)
    if sorted(order) != list(range(rank)):
        raise InputError(f"The order {given} must name each of the {rank} dimensions of the tensor once.")
    result = layout.permuted(order)
    mapping = Mapping(layout, result.shape, order)
    moved = result.shape != layout.shape and mapping.first_difference is not None
    return PermuteExplanation(layout, order, result, mapping if moved else None)
