"""Replace attributes of torch for the time of an observation, and put every one back."""

from collections.abc import Callable
from typing import Any

from torchclinic.script.frames import unseen

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


class Patches:
    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any, bool]] = []

    def replace(self, owner: Any, name: str, wrap: Wrap) -> None:
        """Set `owner.name` to `wrap(original)`, whose frames no traceback shows."""
        own = name in vars(owner)
        original = vars(owner)[name] if own else getattr(owner, name)
        function = original.__func__ if isinstance(original, staticmethod | classmethod) else original
        wrapped = wrap(function)
        if not hasattr(wrapped, "__torchclinic__"):
            wrapped = unseen(wrapped)
        wrapped.__torchclinic__ = True  # type: ignore[attr-defined]
        for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
            if hasattr(function, attribute):
                setattr(wrapped, attribute, getattr(function, attribute))
        self._undo.append((owner, name, original, own))
        setattr(owner, name, wrapped)

    def undo(self) -> None:
        while self._undo:
            owner, name, original, own = self._undo.pop()
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)

    def undo_one(self, owner: Any, name: str) -> None:
        """Put one attribute back now."""
        kept = [entry for entry in self._undo if not (entry[0] is owner and entry[1] == name)]
        own, self._undo = [entry for entry in self._undo if entry not in kept], kept
        for target, attribute, original, _ in own:
            setattr(target, attribute, original)
