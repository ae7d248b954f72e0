"""Writes into shared memory, copies, and storages kept alive."""

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True)
class OverlappingWrite:
    line: str
    operation: str
    step: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(slots=True)
class SilentCopy:
    line: str
    operation: str
    nbytes: int
    calls: int
    steps: int
    shape: tuple[int, ...]


@dataclass(slots=True)
class PinnedStorage:
    line: str
    place: Literal["memory", "checkpoint"]
    tensors: int
    used: int  # bytes
    held: int  # bytes
    name: str = ""
