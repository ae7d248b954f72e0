"""A training batch of the script's, copied."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(slots=True)
class KeptBatch:
    """A training batch, copied, and what was to come out."""

    args: Any
    kwargs: Any
    shape: tuple[int, ...]
    rows: int
    function: str = ""
    target: Tensor | None = None
