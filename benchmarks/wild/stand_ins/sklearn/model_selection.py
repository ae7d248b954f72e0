"""Splitting."""

from typing import Any

import numpy as np


def train_test_split(*arrays: Any, test_size: float = 0.25, random_state: int | None = None, **options: Any) -> list[Any]:
    """Each array in two parts, by the same permutation."""
    rng = np.random if random_state is None else np.random.RandomState(random_state)
    order = rng.permutation(len(arrays[0]))
    held = round(len(order) * test_size)
    return [np.asarray(array)[part] for array in arrays for part in (order[held:], order[:held])]
