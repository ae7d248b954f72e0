"""Iterates without a bar."""

from collections.abc import Iterable, Iterator
from typing import Any


class tqdm:  # noqa: N801
    """The iterable itself; what is set or written is dropped."""

    def __init__(self, iterable: Iterable[Any] | None = None, total: int | None = None, **options: Any) -> None:
        self.iterable = range(total or 0) if iterable is None else iterable
        self.n = 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self.iterable)

    def __len__(self) -> int:
        return len(self.iterable)

    def __enter__(self) -> "tqdm":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None

    @staticmethod
    def write(text: str, **options: Any) -> None:
        print(text)


def trange(*bounds: int, **options: Any) -> tqdm:
    """A range without a bar."""
    return tqdm(range(*bounds))
