"""Draws nothing."""

import sys
from types import ModuleType
from typing import Any

from absorbing import nothing

NAMES = ("pyplot", "gridspec", "animation", "cm", "lines", "image", "ticker", "colors", "patches", "collections")
rcParams: dict[str, Any] = {}  # noqa: N816


class Silent(ModuleType):
    """A module whose every name is an absorbing object."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return rcParams if name == "rcParams" else nothing


for _name in NAMES:
    _module = Silent(f"matplotlib.{_name}")
    sys.modules[_module.__name__] = _module
    globals()[_name] = _module


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return nothing
