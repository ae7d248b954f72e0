"""What a change is: hooks that a `Bench` calls during a training, and the table of those there are.

A change edits no code: it acts on the arguments of calls, on gradients and on modes, and counts how often it did.
"""

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from torchclinic.replay.origins import Origins

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class Training(Protocol):
    """What a change may ask of the training that it is attached to: the `Bench`."""

    steps: int
    origins: Origins

    def owned(self) -> list[Tensor]: ...
    def stepping(self) -> int: ...
    def leaves(self, root: Tensor) -> list[Tensor]: ...
    def in_model(self) -> bool: ...


class Change:
    """As is: nothing is changed. Subclasses override what they need."""

    name: ClassVar[str] = "as-is"
    what: ClassVar[str] = "nothing is changed"  # completes "in the replay, ..."
    codes: ClassVar[tuple[str, ...]] = ()  # findings whose remedy this is
    candidate_for: ClassVar[tuple[str, ...]] = ()  # findings that have several possible causes, of which it repairs one
    judged_by: ClassVar[str] = "training"  # or "evaluation": where the fault does its harm
    sham: ClassVar[bool] = False  # changes nothing that matters; must never be confirmed
    operations: ClassVar[frozenset[str]] = frozenset()  # calls of torch functions that `rewrite` wants to see

    def __init__(self) -> None:
        self.acted = 0

    def attach(self, bench: Training) -> None:
        self.bench = bench

    def enter_model(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Before a model is called; the positional arguments it will get."""
        return args

    def leave_model(self, model: nn.Module) -> None:
        """After it, also after an exception."""

    def rewrite(self, name: str, call: Call) -> Call:
        """Before a call of one of `operations`."""
        return call

    def before_backward(self, root: Tensor) -> None: ...

    def after_backward(self) -> None: ...

    def before_step(self, optimizer: Any) -> None: ...

    def after_step(self, optimizer: Any) -> None: ...

    def after_clear(self, owner: Any) -> None:
        """After the script cleared gradients by `zero_grad` of an optimizer or a module."""


@cache
def changes() -> dict[str, type[Change]]:
    """Every change of the folder `changes`, by name."""
    import torchclinic.replay.changes as folder

    for info in pkgutil.iter_modules(folder.__path__):
        import_module(f"{folder.__name__}.{info.name}")
    found: list[type[Change]] = []
    waiting = Change.__subclasses__()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.name != Change.name:
            found.append(kind)
    return {kind.name: kind for kind in sorted(found, key=lambda kind: kind.name)}


def remedies(code: str) -> list[type[Change]]:
    """The changes that repair what `code` names."""
    return [kind for kind in changes().values() if code in kind.codes]


def candidates(code: str) -> list[type[Change]]:
    """The changes that repair one of the possible causes of what `code` names."""
    return [kind for kind in changes().values() if code in kind.candidate_for]


def make(name: str) -> Change:
    """The change called `name`; an empty name is the training as it is."""
    return changes()[name]() if name else Change()
