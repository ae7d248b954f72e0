"""How our own work runs inside the user's program, and how it may end that program early."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

GiveUp = Callable[[Exception], None]


@contextmanager
def modeless() -> Iterator[None]:
    """No mode of the user's sees what is called in here."""
    with torch._C.DisableTorchFunction(), _disable_current_modes() if torch._C._len_torch_dispatch_stack() else nullcontext():
        yield


class Work:
    """Our own work: no mode, no gradients, and an error of ours ends the observation, never the script."""

    def __init__(self, give_up: GiveUp) -> None:
        self._give_up = give_up
        self._dispatch: AbstractContextManager[Any] | None = None

    def __enter__(self) -> None:
        self._grad = torch.is_grad_enabled()
        if torch._C._len_torch_dispatch_stack():
            self._dispatch = _disable_current_modes()
            self._dispatch.__enter__()
        self._functions = torch._C.DisableTorchFunction()
        self._functions.__enter__()
        torch._C._set_grad_enabled(False)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        torch._C._set_grad_enabled(self._grad)
        self._functions.__exit__(kind, error, tb)
        if self._dispatch is not None:
            self._dispatch.__exit__(None, None, None)
        return ours(error, self._give_up)


class Notes:
    """The same where no mode sees it, gradients may be recorded, and few operations are called."""

    def __init__(self, give_up: GiveUp) -> None:
        self._give_up = give_up

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        return error is not None and ours(error, self._give_up)


class Arithmetic:
    """The same for operations of ours where no function mode sees them: no gradients."""

    def __init__(self, give_up: GiveUp) -> None:
        self._give_up = give_up
        self._grad = True

    def __enter__(self) -> None:
        self._grad = torch.is_grad_enabled()
        torch._C._set_grad_enabled(False)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        torch._C._set_grad_enabled(self._grad)
        return error is not None and ours(error, self._give_up)


class Own:
    """The three ways; the cheaper ones where no mode would see what they call."""

    def __init__(self, give_up: GiveUp) -> None:
        self._give_up = give_up
        self._notes, self._arithmetic = Notes(give_up), Arithmetic(give_up)

    def work(self) -> Work:
        return Work(self._give_up)

    def notes(self) -> Notes | Work:
        return self._notes if unwatched() else Work(self._give_up)

    def arithmetic(self) -> Arithmetic | Work:
        return self._arithmetic if unwatched() else Work(self._give_up)

    def ends_here(self, error: BaseException | None) -> bool:
        return ours(error, self._give_up)


def ours(error: BaseException | None, give_up: GiveUp) -> bool:
    """Whether an error of ours ends the observation instead of being raised in the user's program."""
    if not isinstance(error, Exception) or os.environ.get("TORCHCLINIC_STRICT"):
        return False
    give_up(error)
    return True


def transforming() -> bool:
    """Inside `vmap`, `grad` and the like of torch.func, or `torch.jit.trace`: the tensors stand for others, gone when it ends."""
    return torch._C._functorch.peek_interpreter_stack() is not None or torch._C._get_tracing_state() is not None


def unwatched() -> bool:
    """No mode, of the user's or ours, sees the operations that are called now."""
    return torch._C._len_torch_function_stack() == 0 and torch._C._len_torch_dispatch_stack() == 0


class Witness(Protocol):
    """Remembers the calls of torch functions, and the backward passes, for a later explanation of an error."""

    def __call__(self, func: Callable[..., Any], args: tuple[Any, ...], result: Any, grad: bool, /) -> None: ...
    def backward(self, root: Tensor) -> None: ...


class StopRun(BaseException):
    """Raised inside the user's script when the wanted number of steps is done."""
