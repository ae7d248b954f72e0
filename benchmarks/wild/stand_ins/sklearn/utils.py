"""Shuffling."""

from typing import Any

import numpy as np


def shuffle(*arrays: Any, random_state: int | None = None) -> Any:
    """The same permutation of every array."""
    rng = np.random if random_state is None else np.random.RandomState(random_state)
    order = rng.permutation(len(arrays[0]))
    shuffled = [np.asarray(array)[order] for array in arrays]
    return shuffled[0] if len(shuffled) == 1 else shuffled
