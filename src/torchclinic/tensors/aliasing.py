"""Do two tensors share memory? Decided exactly, to the byte."""

from enum import StrEnum
from html import escape

import torch

from torchclinic.tensors.lattice import BUDGET, Term, reachable
from torchclinic.tensors.layout import Layout, require_tensor

_MEANING = {
    "none": "The two tensors live in different memory: writing to one never changes the other.",
    "disjoint": "The two tensors share a storage but no byte: writing to one never changes the other, "
    "and each keeps the memory of both alive.",
    "overlapping": "The two tensors share at least one byte: writing to one changes the other.",
    "unknown": "The two layouts interleave in a way that was not decided within the bound on work.",
}


class _Meaning:
    """What an enumeration cannot define itself: names of the form _x_ are reserved there."""

    @property
    def meaning(self) -> str:
        return _MEANING[str(self)]

    def _repr_html_(self) -> str:
        return f"<p><strong>{self}</strong>: {escape(self.meaning)}</p>"


class Aliasing(_Meaning, StrEnum):
    """How the memory of two tensors is related; compares equal to its name as a string."""

    NONE = "none"
    DISJOINT = "disjoint"
    OVERLAPPING = "overlapping"
    UNKNOWN = "unknown"

    def to_dict(self) -> dict[str, str]:
        return {"aliasing": self.value, "meaning": self.meaning}


def aliasing(a: torch.Tensor, b: torch.Tensor, *, budget: int = BUDGET) -> Aliasing:
    """Say whether `a` and `b` share no storage, a storage but no byte, or at least one byte.

    The answer is exact, also for interleaved strides, different element sizes and storages made over the same memory.
    The question is NP-hard in general: after `budget` tried values the answer is `unknown`. Nothing is modified.

    Raises:
        InputError: `a` or `b` is no tensor, or has no strides (sparse, nested).
    """
    first, second = Layout.of(require_tensor(a)), Layout.of(require_tensor(b))
    if a.device != b.device or not _share_memory(a, b):
        return Aliasing.NONE
    if first.numel == 0 or second.numel == 0:
        return Aliasing.DISJOINT
    start = 0 if a.device.type == "meta" else b.untyped_storage().data_ptr() - a.untyped_storage().data_ptr()
    gap = start + second.offset * second.itemsize - first.offset * first.itemsize
    meets = bytes_meet(first, second, gap, budget)
    if meets is None:
        return Aliasing.UNKNOWN
    return Aliasing.OVERLAPPING if meets else Aliasing.DISJOINT


def bytes_meet(first: Layout, second: Layout, gap: int, budget: int = BUDGET) -> bool | None:
    """Whether two layouts share a byte, `second`'s first element being `gap` bytes after `first`'s.

    Σ s·i + r = gap + Σ t·j + q, with r and q the byte within an element. With j and q counted from their upper ends
    all signs become positive.
    """
    far = gap + (second.span - 1) * second.itemsize + second.itemsize - 1
    terms: list[Term] = [(1, first.itemsize + second.itemsize - 2)]
    for layout in (first, second):
        terms += [(step * layout.itemsize, size - 1) for size, step in zip(layout.shape, layout.stride, strict=True) if step]
    return reachable(terms, far, budget)


def _share_memory(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether the two storages are one, or lie over the same addresses (as NumPy and DLPack make them)."""
    first, second = a.untyped_storage(), b.untyped_storage()
    if first._cdata == second._cdata:
        return True
    if a.device.type == "meta":
        return False
    start, other = first.data_ptr(), second.data_ptr()
    return start < other + second.nbytes() and other < start + first.nbytes()
