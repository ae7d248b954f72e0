"""A `TorchFunctionMode` that hands over every call of a torch function, while operations are looked at."""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from torchclinic.script.frames import Call, double_of, forget_frames
from torchclinic.script.originals import original_of
from torchclinic.vocabulary import plain_name

Watch = Callable[[str, Callable[..., Any], Call, tuple[Any, ...], dict[str, Any]], Any]
_SEEN_ATTRIBUTES = ("data", "T", "mT")
_UNSEEN = ("__set__", "_set_grad_enabled", "dim", "size", "is_floating_point", "is_complex")


class CallMode(TorchFunctionMode):
    """Hands every call to `watch`, with the double to make it by; inside `watch` the mode is off.

    It sees the calls of the user's code and of modules as they are written (`cross_entropy`, `reshape`, `a - b`), before
    autograd, so it also follows `detach`, `numpy`, comparisons and everything under `no_grad`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watch: Watch = lambda _name, func, call, args, kwargs: call(func, args, kwargs)
        self.entered = False
        self.asleep = False  # on the stack, because it cannot leave it from in here, but watching nothing
        self.inside = 0  # calls that are being watched

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        func = original_of(func)
        call, name = double_of(sys._getframe(1)), func.__name__
        try:
            if self.asleep:
                return call(func, args, kwargs or {})
            if name == "__get__":
                name = func.__self__.__name__
                if name not in _SEEN_ATTRIBUTES:
                    return call(func, args, kwargs or {})
            elif name in _UNSEEN:
                return call(func, args, kwargs or {})
            self.inside += 1
            try:
                return self.watch(plain_name(name), func, call, args, kwargs or {})
            finally:
                self.inside -= 1
        except BaseException as error:
            forget_frames(error)
            raise

    def see(self) -> None:
        """From here on calls are handed over."""
        self.asleep = False
        if not self.entered:
            self.__enter__()  # type: ignore[no-untyped-call]
            self.entered = True

    def leave(self) -> None:
        """Go from the stack. From within a call it cannot (a loop without an optimizer): it sleeps."""
        if self.on_top():
            self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self.entered = False
        self.asleep = self.entered

    def on_top(self) -> bool:
        stack = torch.overrides._get_current_function_mode_stack()
        return bool(stack) and stack[-1] is self
