"""Modules and loaders as they are made, tensors as they are initialized; and warnings, which must not count our frames."""

import sys
import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.utils.data import dataloader

from torchclinic.observe.taps.tap import Tap
from torchclinic.script.frames import wrap_warn
from torchclinic.script.lines import line_outside, user_line


class MakingTap(Tap):
    def install(self, replace: Callable[..., None]) -> list[Any]:
        replace(warnings, "warn", wrap_warn)
        for name in [name for name, value in vars(nn.init).items() if name.endswith("_") and callable(value)]:
            replace(nn.init, name, self._wrap_initializer)
        replace(nn.Module, "__init__", self._wrap_init)
        replace(dataloader.DataLoader, "__init__", self._wrap_init)
        return []

    def _wrap_init(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Remember the line that makes one."""
        origins = self.state.origins

        def __init__(made: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            origins.made(made, line_outside(sys._getframe(1), made))
            original(made, *args, **kwargs)

        return __init__

    def _wrap_initializer(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Remember the line that initializes a tensor last."""
        origins = self.state.origins

        def initializer(tensor: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(tensor, Tensor):
                origins.wrote(tensor, user_line())
            result = original(tensor, *args, **kwargs)
            if isinstance(tensor, Tensor):
                origins.initialized(tensor)
            return result

        return initializer
