"""How our own work runs inside the user's program, and how it may end that program early."""

import os
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torchclinic.observe.session import Session


class Own:
    """Our own work: no function mode, no gradients, and an error of ours ends the observation, never the script."""

    def __init__(self, session: "Session") -> None:
        self._session = session

    def __enter__(self) -> None:
        self._grad = torch.is_grad_enabled()
        self._functions = torch._C.DisableTorchFunction()
        self._functions.__enter__()
        torch._C._set_grad_enabled(False)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        torch._C._set_grad_enabled(self._grad)
        self._functions.__exit__(kind, error, tb)
        return ends_here(self._session, error)


class Lightly:
    """Our own work where no mode sees it, gradients may be recorded, and few operations are called: errors are ours alone."""

    def __init__(self, session: "Session") -> None:
        self._session = session

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        return error is not None and ends_here(self._session, error)


class Ungraded:
    """Our own operations where no function mode of the user's sees them: no gradients, and errors are ours alone."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._grad = True

    def __enter__(self) -> None:
        self._grad = torch.is_grad_enabled()
        torch._C._set_grad_enabled(False)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        torch._C._set_grad_enabled(self._grad)
        return error is not None and ends_here(self._session, error)


def ends_here(session: "Session", error: BaseException | None) -> bool:
    """Whether an error of ours ends the observation instead of being raised in the user's program."""
    if not isinstance(error, Exception) or os.environ.get("TORCHCLINIC_STRICT"):
        return False
    session.give_up(error)
    return True


def transforming() -> bool:
    """Inside `vmap`, `grad` and the like of torch.func: the tensors stand for others, and are gone when it ends."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def unwatched() -> bool:
    """No mode, of the user's or ours, sees the operations that are called now."""
    return torch._C._len_torch_function_stack() == 0 and torch._C._len_torch_dispatch_stack() == 0


class Witness(Protocol):
    """Remembers the calls of torch functions, and the backward passes, for a later explanation of an error."""

    def __call__(self, func: Callable[..., Any], args: tuple[Any, ...], result: Any, grad: bool, /) -> None: ...
    def backward(self, root: Tensor) -> None: ...


class StopRun(BaseException):
    """Raised inside the user's script when the wanted number of steps is done."""
