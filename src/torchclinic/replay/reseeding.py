"""Other seeds for a script that sets its own: whatever it seeds with is shifted. Shift 0 leaves its seeds as they are.

Streams that a script never seeds are seeded before it starts, so that replays with the same shift see the same numbers.
"""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from torchclinic.observe.taps.patches import Patches

STRIDE = 7919  # a prime: seeds that a script counts up (seed + epoch) do not meet
SPAN = 2**32  # numpy takes no larger seed


def reseed(shift: int, patches: Patches) -> None:
    """Shift every seed that is set from here on, until `patches` are undone."""
    for owner, name in (
        (torch, "manual_seed"),
        (torch.random, "manual_seed"),
        (torch.cuda, "manual_seed"),
        (torch.cuda, "manual_seed_all"),
        (random, "seed"),
        (np.random, "seed"),
        (np.random, "default_rng"),
    ):
        patches.replace(owner, name, _shifting(shift))
    patches.replace(torch, "Generator", lambda original: _generator(original, shift))
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)


def _shifted(seed: Any, shift: int) -> Any:
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    return (int(seed) + STRIDE * shift) % SPAN if whole and shift else seed


def _shifting(shift: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def seeding(*args: Any, **kwargs: Any) -> Any:
            if args:
                return original(_shifted(args[0], shift), *args[1:], **kwargs)
            return original(**{name: _shifted(value, shift) for name, value in kwargs.items()})

        return seeding

    return wrap


def _generator(original: Any, shift: int) -> Any:
    class Kind(type(original)):  # type: ignore[misc]
        def __instancecheck__(cls, value: object) -> bool:  # torch's default generators are none of ours
            return isinstance(value, original)

    class Generator(original, metaclass=Kind):  # type: ignore[misc]
        __torchclinic__ = True  # a class is put in place as it is

        def manual_seed(self, seed: int) -> Any:
            return super().manual_seed(_shifted(seed, shift))

    return Generator
