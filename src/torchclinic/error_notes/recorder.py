"""What happened before the error: changes of layout, writes in place, cuts of the graph, backward passes."""

import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from torchclinic.instruments.tracing import call_name
from torchclinic.script.lines import Line, line_of
from torchclinic.script.originals import original_of
from torchclinic.vocabulary import LEAVES_TORCH

KEPT = 20_000  # events; older ones are forgotten
_CUTS = LEAVES_TORCH | {"argmin", "round", "sign", "floor"}
_DUNDERS = frozenset(["__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__imod__", "__ipow__"])

Kind = Literal["layout", "write", "cut", "backward"]


@dataclass(frozen=True, slots=True)
class Event:
    kind: Kind
    call: str
    where: Line
    tensor: "weakref.ref[Tensor]"
    shape: tuple[int, ...]
    version: int  # of the tensor, afterwards

    def __str__(self) -> str:
        return f"{self.where}: {self.where.text}" if self.where.text else str(self.where)


class Recorder(TorchFunctionMode):
    """Remembers the events of the block it is entered for; holds no tensor alive and changes none."""

    def __init__(self) -> None:
        super().__init__()
        self._events: deque[Event] = deque(maxlen=KEPT)
        self.blind = ""  # why the latest events are missing, if they are

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        func = original_of(func)
        result = func(*args, **(kwargs or {}))
        self(func, args, result, torch.is_grad_enabled())
        if args and call_name(func) == "backward":
            self.backward(args[0])
        return result

    def __call__(self, func: Callable[..., Any], args: tuple[Any, ...], result: Any, grad: bool) -> None:
        """Note a call of a torch function that another observer has seen."""
        if args:
            self._observe(call_name(func), args, result, grad)

    def backward(self, root: Tensor) -> None:
        """Note a backward pass that has ended."""
        self._note("backward", "backward", root)

    def _observe(self, name: str, args: tuple[Any, ...], result: Any, grad: bool) -> None:
        if name in _DUNDERS or (name.endswith("_") and not name.endswith("__")):
            for tensor in args[0] if isinstance(args[0], list | tuple) else args[:1]:
                self._note("write", name, tensor)
        elif isinstance(result, Tensor) and isinstance(args[0], Tensor):
            if _strided(result, args[0]) and args[0].is_contiguous() and not result.is_contiguous():
                self._note("layout", name, result)
            if not result.requires_grad and (name in _CUTS or not grad) and _any_requires_grad(args):
                self._note("cut", name if name in _CUTS else "no_grad", result)
        elif name in _CUTS and isinstance(args[0], Tensor) and args[0].requires_grad:
            self._note("cut", name, args[0])

    def last(self, kind: Kind, tensor: Tensor | None = None) -> Event | None:
        """The latest event of a kind, of that very tensor or one over the same storage where one is given."""
        events = self.events(kind)
        if tensor is None:
            return next(events, None)
        return next((event for event in events if _same_memory(event.tensor(), tensor)), None)

    def events(self, kind: Kind) -> Iterator[Event]:
        """Latest first."""
        return (event for event in reversed(self._events) if event.kind == kind)

    def _note(self, kind: Kind, call: str, tensor: Any) -> None:
        if isinstance(tensor, Tensor):
            version = 0 if tensor.is_inference() else tensor._version
            where = line_of(sys._getframe(1))
            self._events.append(Event(kind, call, where, weakref.ref(tensor), tuple(tensor.shape), version))


def _any_requires_grad(values: tuple[Any, ...]) -> bool:
    return any(isinstance(value, Tensor) and value.requires_grad for value in values)


def _strided(*tensors: Tensor) -> bool:
    return all(tensor.layout == torch.strided and not tensor.is_nested for tensor in tensors)


def _same_memory(seen: Tensor | None, tensor: Tensor) -> bool:
    if seen is tensor:
        return True
    return seen is not None and _strided(seen, tensor) and seen.untyped_storage()._cdata == tensor.untyped_storage()._cdata
