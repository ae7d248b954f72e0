"""Shows and writes nothing."""

from typing import Any

from absorbing import nothing


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return nothing
