"""Memory that several tensors share: writes into it, copies that avoid it, and views that keep it alive."""

import sys
import weakref
from itertools import accumulate, permutations
from operator import mul
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain, shares_memory
from torchclinic.observe.records import AxesRenamed, MutatedData, OverlappingWrite, PinnedStorage, SilentCopy
from torchclinic.observe.state.dataflow import Node
from torchclinic.script.lines import user_line

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

COPY_FLOOR = 1 << 20  # bytes
VIEW_FLOOR = 1 << 16
OWN_REFERENCES = 3  # to a base tensor that only its view keeps: the view's, a local name's, and the count's own
MOST_MUTATED = 50
MOST_DIMENSIONS = 6
MOST_SPREAD = 1000  # expanded tensors whose lines are remembered
MOST_OVERLAPPING = 50  # lines
SPREADING = {"expand", "expand_as", "broadcast_to"}
WRITES = {  # elements of their own; `fill_` and `zero_` give every element the same number
    "setitem", "index_put_", "index_fill_", "masked_fill_", "fill_diagonal_", "tril_", "triu_", "copy_", "normal_",
    "uniform_", "add_", "sub_", "mul_", "div_", "clamp_", "neg_",
}  # fmt: skip
_NAMING = {"view", "reshape", "view_as", "reshape_as", "unflatten"}


class MemoryWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.overlapping: dict[str, OverlappingWrite] = {}  # by line
        self._spread: dict[int, tuple[weakref.ref[Tensor], str]] = {}
        self.mutated: dict[str, MutatedData] = {}
        self._mutated_nodes: list[tuple[MutatedData, Node]] = []
        self.copies: dict[tuple[str, str], SilentCopy] = {}
        self._copy_steps: dict[tuple[str, str], set[int]] = {}
        self._views: list[tuple[weakref.ref[Tensor], weakref.ref[Tensor], int, str, int, int]] = []
        self.pinned: list[PinnedStorage] = []
        self.renames: dict[str, AxesRenamed] = {}  # by line

    def called(self, name: str, result: Any, args: tuple[Any, ...]) -> None:
        """Before the first model, while the data are made: all that is looked at are strides."""
        self.spread(name, result)
        if name in WRITES:
            self.written(name, args)

    def spread(self, name: str, result: Any) -> None:
        """Remember the line that made one element stand for many."""
        if name in SPREADING and isinstance(result, Tensor):
            if len(self._spread) >= MOST_SPREAD:
                self._spread.clear()
            self._spread[id(result)] = weakref.ref(result), user_line()

    def written(self, name: str, args: tuple[Any, ...]) -> None:
        """An operation writes to its first argument; are its elements in one place?"""
        tensor = args[0] if args else None
        if not isinstance(tensor, Tensor) or not is_plain(tensor) or tensor.numel() < 2:
            return
        strides = tensor.stride()
        if not any(stride == 0 and size > 1 for stride, size in zip(strides, tensor.shape, strict=True)):
            return
        line = user_line()
        record = self.overlapping.get(line)
        if record is None and len(self.overlapping) < MOST_OVERLAPPING:
            spread, origin = self._spread.get(id(tensor), (None, ""))
            known = origin if spread is not None and spread() is tensor else ""
            shape = tuple(tensor.shape)
            record = self.overlapping[line] = OverlappingWrite(line, name, self.session.step, shape, strides, known)
        if record is not None:
            record.times += 1

    def copied(self, name: str, node: Node, result: Tensor, source: Tensor) -> None:
        """An operation that copies only where it must has given `result`."""
        nbytes = result.numel() * result.element_size()
        if nbytes < COPY_FLOOR or not is_plain(result) or not is_plain(source) or shares_memory(result, source):
            return
        key = (name, node.line)
        copy = self.copies.setdefault(key, SilentCopy(node.line, name, nbytes, 0, 0, tuple(result.shape)))
        steps = self._copy_steps.setdefault(key, set())
        steps.add(self.session.step)
        copy.calls += 1
        copy.steps = len(steps)

    def renamed(self, name: str, node: Node, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        """A view that keeps the batch: does it treat the other dimensions as if they lay in another order?"""
        if before[0] != after[0] or (node.parents and node.parents[0].op in _NAMING):
            return  # an earlier view gave the dimensions their meaning
        order = order_of_view(before, after)
        known = self.renames.get(node.line)
        if known is not None:
            known.calls += bool(order)
        elif order:
            self.renames[node.line] = AxesRenamed(node.line, node.where, name, self.session.step, before, after, order)

    def changed(self, name: str, node: Node, result: Tensor) -> None:
        """An arithmetic in-place change of a piece of a larger tensor of data."""
        if (
            result.requires_grad
            or not result.is_floating_point()
            or not node.parents
            or len(self.mutated) >= MOST_MUTATED
        ):
            return
        base = result._base
        if (
            base is None
            or base.numel() < 2 * result.numel()
            or base.requires_grad
            or isinstance(base, torch.nn.Parameter)
        ):
            return
        if self.session.modules.stack or self.session.training.inside_step:
            return
        record = self.mutated.setdefault(
            node.line,
            MutatedData(node.line, name, self.session.step, tuple(result.shape), tuple(base.shape), 0, False),
        )
        record.times += 1
        self._mutated_nodes.append((record, node))

    def cut(self, node: Node, result: Tensor, source: Any) -> None:
        """Remember small views of large results, to see later which of them outlive the large one."""
        if not isinstance(source, Tensor) or not is_plain(result) or not is_plain(source) or result.requires_grad:
            return
        storage = result.untyped_storage()
        used = result.numel() * result.element_size()
        if storage.nbytes() >= VIEW_FLOOR and storage.nbytes() >= 8 * used and len(self._views) < 2000:
            base = result._base if result._base is not None else source
            entry = (weakref.ref(result), weakref.ref(base), self.session.step, node.line, used, storage.nbytes())
            self._views.append(entry)

    def end_window(self) -> None:
        """Judge what needs the whole window: views that outlived their base, and mutated data that fed a model."""
        forwards = [node for _, nodes, _ in self.session.modules.outputs.values() for node in nodes]
        touched = {id(ancestor) for node in forwards for ancestor in node.ancestors()}
        for record, node in self._mutated_nodes:
            record.feeds_model = record.feeds_model or id(node) in touched
        self._mutated_nodes.clear()
        self._outlived()

    def _outlived(self) -> None:
        """Per line: views of which the base tensor is gone while the view lives on, from at least three steps."""
        lines: dict[str, list[tuple[int, int, int]]] = {}
        for view, base, step, line, used, held in self._views:
            tensor = view()
            whole = base()
            alone = whole is None or sys.getrefcount(whole) <= OWN_REFERENCES
            if tensor is not None and alone and step < self.session.step:
                lines.setdefault(line, []).append((step, used, held))
        for line, found in lines.items():
            if len({step for step, _, _ in found}) >= 3 and not any(pin.line == line for pin in self.pinned):
                used, held = sum(f[1] for f in found), sum(f[2] for f in found)
                self.pinned.append(PinnedStorage(line, "memory", len(found), used, held))


def order_of_view(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...]:
    """The order of the dimensions (of the shape that has more of them) in which the other shape is made by merging
    neighbours, where in the order they have it is not. Empty if they fit as they lie, or in no order.

    `(8, 60, 3)` viewed as `(8, 3, 60)` gives `(0, 2, 1)`; `(8, 4, 60, 16)` viewed as `(8, 60, 64)` gives `(0, 2, 1, 3)`.
    """
    fine, coarse = (before, after) if len(before) >= len(after) else (after, before)
    if len(fine) > MOST_DIMENSIONS or _merges(fine, coarse):
        return ()
    for rest in permutations(range(1, len(fine))):
        if _merges(tuple(fine[i] for i in (0, *rest)), coarse):
            return (0, *rest)
    return ()


def _merges(fine: tuple[int, ...], coarse: tuple[int, ...]) -> bool:
    """Whether each boundary between dimensions of `coarse` is one of `fine`."""
    return set(accumulate(coarse, mul)) <= set(accumulate(fine, mul))
