"""`explain`: what a tensor is in memory."""

from dataclasses import dataclass
from typing import Any

import torch

from torchclinic.report.model import Block, Prose, Section, Table, Value
from torchclinic.report.results import Figure
from torchclinic.tensors.explanation import Explanation, plural
from torchclinic.tensors.figures import layout_figure
from torchclinic.tensors.layout import Layout, require_tensor
from torchclinic.units import format_nbytes, format_share

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last, "channels_last_3d": torch.channels_last_3d}


class Contiguity(dict[str, bool]):
    """Memory format -> whether the tensor is contiguous in it. `torch.channels_last` and the like are keys too."""

    def __missing__(self, key: object) -> bool:
        name = next((name for name, memory_format in FORMATS.items() if memory_format == key), None)
        if name is None:
            raise KeyError(key)
        return self[name]


@dataclass(frozen=True)
class TensorExplanation(Explanation):
    """Shape, strides and storage of a tensor. Strides and offset are in elements, the rest in bytes.

    What a tensor without strides (sparse, nested) cannot have is None, and `notes` says why.
    """

    shape: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    offset: int | None
    dtype: torch.dtype
    device: str
    nbytes: int | None  # of all elements, each counted: what a contiguous copy takes
    storage_nbytes: int | None  # of the whole storage, used or not
    used_nbytes: int | None  # of the storage's bytes that some element covers
    contiguous: Contiguity
    dense: bool | None  # some order of the dimensions walks the bytes once, without gap
    overlapping: bool | None  # two indices share an address; None = cannot tell
    expanded_dims: tuple[int, ...]
    is_view: bool
    requires_grad: bool
    is_leaf: bool
    version: int | None  # in-place writes so far; an inference tensor counts none
    notes: tuple[str, ...] = ()
    layout: Layout | None = None

    @property
    def used_share(self) -> float | None:
        """Share of the storage that some element covers, 0 to 1."""
        if not self.storage_nbytes or self.used_nbytes is None:
            return None
        return self.used_nbytes / self.storage_nbytes

    def section(self) -> Section:
        blocks: list[Block] = [Table(("property", "value"), tuple(self._rows()))]
        blocks += [Prose(note) for note in self.notes]
        if self.layout is not None:
            blocks.append(self.figure)
        title = f"Tensor {'' if self.shape is None else self.shape} of {_name(self.dtype)}"
        return Section(title, tuple(blocks))

    @property
    def figure(self) -> Figure:
        """Storage and tensor. There is none without strides."""
        assert self.layout is not None, "a tensor without strides has no layout to draw"
        size = self.storage_nbytes // self.layout.itemsize if self.storage_nbytes else None
        return layout_figure(self.layout, size)

    def _rows(self) -> list[tuple[Value, ...]]:
        def said(value: bool | None, yes: str = "yes", no: str = "no") -> str:
            return "cannot tell" if value is None else yes if value else no

        def size(nbytes: int | None) -> str:
            return "cannot tell" if nbytes is None else format_nbytes(nbytes)

        share = "" if self.used_share is None else f" ({format_share(self.used_share)} of it is used)"
        expanded = f"yes, dims {self.expanded_dims} are expanded" if self.expanded_dims else "yes"
        rows: list[tuple[Value, ...]] = [
            ("shape", str(self.shape)),
            ("stride (elements)", str(self.stride)),
            ("offset (elements)", str(self.offset)),
            ("dtype, device", f"{_name(self.dtype)}, {self.device}"),
            ("elements take", size(self.nbytes)),
            ("storage takes", size(self.storage_nbytes) + share),
        ]
        rows += [(name, said(holds)) for name, holds in self.contiguous.items()]
        return [
            *rows,
            ("dense", said(self.dense, no="no, gaps or repetitions")),
            ("elements share memory", said(self.overlapping, expanded)),
            ("view or base", "view of another tensor" if self.is_view else "base"),
            ("requires grad, leaf", f"{said(self.requires_grad)}, {said(self.is_leaf)}"),
            ("writes in place so far", "not counted" if self.version is None else str(self.version)),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "shape": None if self.shape is None else list(self.shape),
            "stride": None if self.stride is None else list(self.stride),
            "offset": self.offset,
            "dtype": _name(self.dtype),
            "device": self.device,
            "nbytes": self.nbytes,
            "storage_nbytes": self.storage_nbytes,
            "used_nbytes": self.used_nbytes,
            "contiguous": dict(self.contiguous),
            "dense": self.dense,
            "overlapping": self.overlapping,
            "expanded_dims": list(self.expanded_dims),
            "is_view": self.is_view,
            "requires_grad": self.requires_grad,
            "is_leaf": self.is_leaf,
            "version": self.version,
            "notes": list(self.notes),
        }


def explain(tensor: torch.Tensor) -> TensorExplanation:
    """Say how a tensor lies in memory: strides, bytes, contiguity, overlap, and whose storage it is.

    Works on every tensor; of one without strides (sparse, nested) it says that, and what holds its elements.
    Values are not read and nothing is modified.

    Raises:
        InputError: `tensor` is no tensor.
    """
    require_tensor(tensor)
    if tensor.is_nested or tensor.layout != torch.strided:
        return _explain_parts(tensor)
    layout = Layout.of(tensor)
    distinct = layout.distinct
    return TensorExplanation(
        shape=layout.shape,
        stride=layout.stride,
        offset=layout.offset,
        nbytes=layout.nbytes,
        storage_nbytes=tensor.untyped_storage().nbytes(),
        used_nbytes=None if distinct is None else distinct * layout.itemsize,
        contiguous=Contiguity({name: tensor.is_contiguous(memory_format=memory_format) for name, memory_format in FORMATS.items()}),
        dense=layout.dense,
        overlapping=layout.overlapping,
        expanded_dims=layout.expanded_dims,
        notes=tuple(_notes(tensor)),
        layout=layout,
        **_autograd(tensor),
    )


def _autograd(tensor: torch.Tensor) -> dict[str, Any]:
    return {
        "dtype": tensor.dtype,
        "device": str(tensor.device),
        "is_view": tensor._is_view(),
        "requires_grad": tensor.requires_grad,
        "is_leaf": tensor.is_leaf,
        "version": None if tensor.is_inference() else tensor._version,
    }


def _notes(tensor: torch.Tensor) -> list[str]:
    notes = []
    if tensor.device.type == "meta":
        notes.append("A meta tensor has a layout but no memory: the bytes are what it would take.")
    if tensor.is_quantized:
        notes.append(
            "The bytes are those of the stored integers; scale and zero point lie outside the storage and are not counted."
        )
    if tensor.is_conj():
        notes.append("The conjugate bit is set: the storage holds the conjugates of the values (resolve_conj() writes them).")
    if tensor.is_neg():
        notes.append("The negative bit is set: the storage holds the negated values (resolve_neg() writes them).")
    return notes


def _explain_parts(tensor: torch.Tensor) -> TensorExplanation:
    """A tensor whose elements lie in other tensors: no strides, the bytes of the parts."""
    if tensor.is_nested:
        kind, parts = "nested", [tensor.values()] if tensor.layout == torch.jagged else list(tensor.unbind())
        note = f"A nested tensor is a list of {plural(tensor.size(0), 'tensor')} of different sizes: it has no strides."
        shape = None
    else:
        kind, parts, shape = str(tensor.layout).removeprefix("torch."), _sparse_parts(tensor), tuple(tensor.shape)
        note = f"A {kind} tensor has no strides: it keeps its values and their indices in tensors of their own."
    nbytes = sum(part.nbytes for part in parts) if parts else None
    return TensorExplanation(
        shape=shape,
        stride=None,
        offset=None,
        nbytes=nbytes,
        storage_nbytes=nbytes,
        used_nbytes=nbytes,
        contiguous=Contiguity(dict.fromkeys(FORMATS, False)),
        dense=None,
        overlapping=None,
        expanded_dims=(),
        notes=(note,),
        **_autograd(tensor),
    )


def _sparse_parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    if tensor.layout == torch.sparse_coo:
        return [tensor._indices(), tensor._values()]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return []


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
