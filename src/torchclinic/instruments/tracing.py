"""`trace`: every operation a function runs, with the bytes it moves and the line that asked for it."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from torchclinic.errors import InputError
from torchclinic.report.model import Block, Prose, Section, Table
from torchclinic.script.lines import Line, line_of
from torchclinic.tensors.explanation import Explanation, plural
from torchclinic.tensors.layout import Layout
from torchclinic.units import format_nbytes
from torchclinic.vocabulary import CASTS, MAY_COPY

Kind = Literal["view", "copy", "in-place", "allocation", "compute"]

# The result holds the very elements of the arguments, in memory of its own.
_COPIES = frozenset(
    """
    clone _to_copy cat stack repeat index index_select gather take flip roll masked_select constant_pad_nd
    repeat_interleave _pin_memory channel_shuffle pixel_shuffle pixel_unshuffle unfold_copy
    """.split()
)
_ALLOCATIONS = frozenset(["lift_fresh", "scalar_tensor"])
# Calls that give a view or a copy, as the layout has it: nothing in their name says which.
_LAYOUT_CALLS = MAY_COPY | {"reshape_as"}
_SILENT = _LAYOUT_CALLS | CASTS
PINNING = 4  # a returned tensor is said to pin its storage when that has at least this many times its bytes


class Operation(NamedTuple):  # a named tuple is made in a third of the time a frozen dataclass takes
    """One operation as it reached the kernels."""

    name: str
    kind: Kind
    bytes: int  # moved or written: 0 for a view
    where: Line
    call: str  # the call in Python that led here: reshape, linear, backward, ...
    breaks_contiguity: bool = False  # a view of a contiguous tensor that is no longer contiguous
    writes_overlap: bool = False  # written in place, while elements of it share memory

    @property
    def line(self) -> str:
        """`file:number` of the user's code."""
        return str(self.where)

    @property
    def silent_copy(self) -> bool:
        return self.kind == "copy" and self.call in _SILENT

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "bytes": self.bytes,
            "line": self.line,
            "source": self.where.text,
            "call": self.call,
            "breaks_contiguity": self.breaks_contiguity,
            "silent_copy": self.silent_copy,
            "writes_overlap": self.writes_overlap,
        }


@dataclass(frozen=True, slots=True)
class Pinned:
    """A small returned tensor that keeps a large storage alive."""

    nbytes: int
    storage_nbytes: int

    def __str__(self) -> str:
        kept = format_nbytes(self.storage_nbytes)
        return f"{format_nbytes(self.nbytes)} returned keep {kept} alive (clone() frees them)"


@dataclass(frozen=True)
class Trace(Explanation):
    """What a function did to memory. `result` is what it returned, untouched."""

    result: Any
    operations: tuple[Operation, ...]
    pinned: tuple[Pinned, ...]

    def of_kind(self, kind: Kind) -> tuple[Operation, ...]:
        return tuple(operation for operation in self.operations if operation.kind == kind)

    @property
    def copied_bytes(self) -> int:
        """Bytes of all copies: operations whose result holds the elements of their arguments, unchanged."""
        return sum(operation.bytes for operation in self.of_kind("copy"))

    @property
    def silent_copies(self) -> tuple[Operation, ...]:
        """Copies by calls that copy only if they must: reshape, flatten, contiguous, to."""
        return tuple(operation for operation in self.operations if operation.silent_copy)

    def section(self) -> Section:
        kinds: tuple[Kind, ...] = ("view", "copy", "in-place", "allocation", "compute")
        totals = tuple((kind, len(ops), format_nbytes(_total(ops))) for kind in kinds if (ops := self.of_kind(kind)))
        columns = ("line", "operation", "kind", "bytes", "times", "note", "source")
        blocks: list[Block] = [
            Table(("kind", "operations", "bytes"), totals, "Totals"),
            Table(columns, tuple(_rows(self.operations)), "Operations, by line, in the order they first ran"),
        ]
        blocks += [Prose(note) for note in self._notes()]
        return Section(f"{plural(len(self.operations), 'operation')}, {format_nbytes(self.copied_bytes)} copied", tuple(blocks))

    def _notes(self) -> list[str]:
        notes = []
        for operation in _distinct(self.silent_copies):
            need = "another layout" if operation.call in _LAYOUT_CALLS else "another dtype, device or layout"
            notes.append(f"{operation.line} copies silently: `{operation.call}` needs {need} than it got.")
        for operation in _distinct(op for op in self.operations if op.breaks_contiguity):
            notes.append(f"{operation.line} makes a tensor non-contiguous (`{operation.call or operation.name}`).")
        for operation in _distinct(op for op in self.operations if op.writes_overlap):
            notes.append(f"{operation.line} writes to a tensor whose elements share memory (`{operation.name}`).")
        return notes + [f"{pinned}." for pinned in self.pinned]

    def to_dict(self) -> dict[str, Any]:
        return {
            "operations": [operation.to_dict() for operation in self.operations],
            "copied_bytes": self.copied_bytes,
            "pinned": [{"nbytes": p.nbytes, "storage_nbytes": p.storage_nbytes} for p in self.pinned],
        }


def trace(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Trace:
    """Run `function(*args, **kwargs)` once and list its operations: view, copy, in-place, allocation or compute.

    Each has its bytes, the call and the line of the caller's code. The function runs as it would without, its result
    is returned as it is (`.result`) and what it raises passes through. A backward pass inside it is listed too.

    Raises:
        InputError: `function` cannot be called.
    """
    if not callable(function):
        raise InputError(f"trace runs a function with its arguments; {type(function).__name__} cannot be called.")
    calls = _Calls()
    recorder = _Recorder(calls)
    with calls, recorder:
        result = function(*args, **kwargs)
    leaves = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
    return Trace(result, tuple(recorder.operations), tuple(_find_pinned(leaves)))


class _Calls(TorchFunctionMode):
    """Knows the call of torch's Python interface that is running."""

    def __init__(self) -> None:
        super().__init__()
        self.current = ""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        outer, self.current = self.current, call_name(func)
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.current = outer


class _Recorder(TorchDispatchMode):
    def __init__(self, calls: _Calls) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self._calls = calls

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        nature = _NATURES.get(func) or _nature(func)
        name, kind, written = nature
        was_contiguous = kind == "view" and isinstance(args[0], Tensor) and _is_contiguous(args[0])
        result = func(*args, **kwargs) if kwargs else func(*args)
        breaks = was_contiguous and isinstance(result, Tensor) and not _is_contiguous(result)
        targets = [args[place] for place in written if place < len(args)] if written else None
        nbytes = 0 if kind == "view" else _nbytes(targets or result)
        overlap = targets is not None and any(_overlaps(target) for target in targets)
        where = line_of(sys._getframe(1))
        self.operations.append(Operation(name, kind, nbytes, where, self._calls.current, breaks, overlap))
        return result


_NATURES: dict[Any, tuple[str, Kind, tuple[int, ...]]] = {}


def _nature(func: Any) -> tuple[str, Kind, tuple[int, ...]]:
    """Name, kind and written arguments of an operation, from its schema; looked up once per operation."""
    nature = _NATURES[func] = _read_schema(func)
    return nature


def _read_schema(func: Any) -> tuple[str, Kind, tuple[int, ...]]:
    schema = func._schema
    name = schema.name.rpartition("::")[2]
    aliases = [argument.alias_info for argument in schema.arguments]
    written = tuple(place for place, alias in enumerate(aliases) if alias is not None and alias.is_write)
    takes_tensor = any("Tensor" in str(argument.type) for argument in schema.arguments)
    if written:
        return name, "in-place", written
    if name in _COPIES:
        return name, "copy", ()
    if name in _ALLOCATIONS or not takes_tensor or name.startswith("new_") or name.endswith("_like"):
        return name, "allocation", ()
    if name == "_unsafe_view" or any(value.alias_info is not None for value in schema.returns):
        return name, "view", ()
    return name, "compute", ()


def call_name(func: Any) -> str:
    """`reshape` for Tensor.reshape, `T` for the property Tensor.T."""
    name = getattr(func, "__name__", "")
    return getattr(func.__self__, "__name__", name) if name == "__get__" else name


def _nbytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    return sum(map(_nbytes, value)) if isinstance(value, list | tuple) else 0


def _is_contiguous(tensor: Tensor) -> bool:
    return tensor.layout != torch.strided or tensor.is_contiguous()


def _overlaps(value: Any) -> bool:
    return isinstance(value, Tensor) and not _is_contiguous(value) and Layout.of(value).overlapping is True


def _find_pinned(tensors: Iterable[Tensor]) -> Iterable[Pinned]:
    for tensor in tensors:
        if tensor.layout == torch.strided and not tensor.is_nested:
            storage = tensor.untyped_storage().nbytes()
            if storage >= PINNING * max(tensor.nbytes, 1):
                yield Pinned(tensor.nbytes, storage)


def _total(operations: Iterable[Operation]) -> int:
    return sum(operation.bytes for operation in operations)


def _distinct(operations: Iterable[Operation]) -> list[Operation]:
    """The first operation of each line."""
    return list({operation.where: operation for operation in reversed(list(operations))}.values())[::-1]


def _rows(operations: Iterable[Operation]) -> Iterable[tuple[Any, ...]]:
    groups: dict[tuple[Line, str, Kind, str], list[Operation]] = {}
    for operation in operations:
        groups.setdefault((operation.where, operation.name, operation.kind, _note(operation)), []).append(operation)
    for (where, name, kind, note), group in groups.items():
        yield str(where), name, kind, format_nbytes(_total(group)), len(group), note, where.text[:60]


def _note(operation: Operation) -> str:
    if operation.silent_copy:
        return f"by {operation.call}"
    if operation.breaks_contiguity:
        return "non-contiguous"
    return "overlapping" if operation.writes_overlap else ""
