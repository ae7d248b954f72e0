"""What a collector is: hears events, reads state, writes only itself, and gives records.

One file in a folder of `collectors/`; discovery walks them. It imports neither the session nor a tap nor another collector:
what one finds out for another is an event. Hearers of one event are called in no order that anything may depend on.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from torch import Tensor

from torchclinic.observe.events import Tell
from torchclinic.observe.state.state import State

EVERY = frozenset({"*"})  # operation


class Collector:
    """Base of all; a probe is one too. Methods that are named like an event hear it."""

    operations: ClassVar[frozenset[str]] = frozenset()  # names of torch functions, for the three operation events

    def __init__(self, state: State, tell: Tell) -> None:
        self.state = state
        self.tell = tell
        self.found: dict[Any, Any] = {}  # what `records` gives, by line or whatever tells it apart
        self.prepare()

    def prepare(self) -> None:
        """What the collector itself remembers."""

    def records(self) -> Iterable[object]:
        """What is known so far; called at any time, and more than once."""
        return self.found.values()

    def glance(self, root: Tensor) -> None:
        """After a backward pass that nobody looks at: microseconds at most. Called only if a class defines it."""
