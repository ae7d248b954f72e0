"""An object that takes every call and does nothing, for libraries that only draw or write logs."""

from collections.abc import Iterator
from typing import Any


class Absorbing:
    """Every attribute, call, item and entry is an absorbing object again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __getattr__(self, name: str) -> "Absorbing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> "Absorbing":
        return self

    def __getitem__(self, key: object) -> "Absorbing":
        return self

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __iter__(self) -> Iterator["Absorbing"]:
        return iter((self, self))

    def __enter__(self) -> "Absorbing":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __bool__(self) -> bool:
        return True


nothing = Absorbing()
