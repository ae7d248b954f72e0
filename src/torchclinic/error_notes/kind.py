"""What a kind of error is. One kind = one file `kinds/err<number>_<name>.py`; discovery walks the folder.

A kind's file holds `KIND`, `explain(scene) -> Explanation | None`, `specimen()` (a script that raises it) and `twin()` (the
same without the fault). Its docstring has the sections What it means / Evidence / When this is fine / Fix / References.

`explain` gets a `Scene`: the message (`scene["group"]`, `scene.number("group")`), and, where the error was caught and not only
pasted, its frames, the failing expression, its tensors, the layer that raised. It says what is certain: the cause with this
run's numbers, the fix in words, the line at fault, and an edit that was tried (`scene.edit`, `scene.layer_edit`,
`scene.birth_edit` give one only if the failing operation passes with it). None: not this kind after all.
"""

import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

import torchclinic.error_notes.kinds
from torchclinic.error_notes.source import Edit
from torchclinic.script.lines import Line


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an error was raised and what to change. An edit given here has been tried."""

    cause: str  # a sentence with the run's numbers
    fix: str  # in words
    at: Line | None = None  # the line at fault, where it is known; may be the failing line
    edit: Edit | None = None
    unseen: str = ""  # why the line at fault is not known, where it would be in a run that was watched in full
    note: str = ""  # what did it there: the call, "the first backward"

    @property
    def culprit(self) -> Line | None:
        """The line at fault: as given, else the one that the edit changes."""
        return self.at or (self.edit.line if self.edit is not None else None)


@dataclass(frozen=True, slots=True)
class Kind:
    code: str
    name: str
    document: str  # the module's docstring
    messages: tuple[str, ...]  # regular expressions, any of which is found in the message
    types: tuple[str, ...] = ()  # names of the exceptions that it is; any, if empty
    covers: tuple[str, ...] = ()  # rules that find the same crash, and say less

    def match(self, type_name: str, message: str) -> re.Match[str] | None:
        if self.types and type_name and type_name not in self.types:
            return None
        return next((found for text in self.messages if (found := _compiled(text).search(message))), None)


@cache
def _compiled(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)


class KindModule(Protocol):
    KIND: Kind
    explain: Callable[[Any], Explanation | None]
    specimen: Callable[[], str]
    twin: Callable[[], str]


@cache
def kinds() -> tuple[KindModule, ...]:
    """Every kind of the folder, in the order of the codes: of two that match a message, the first one explains it."""
    names = sorted(info.name for info in pkgutil.iter_modules(torchclinic.error_notes.kinds.__path__))
    modules: list[Any] = [import_module(f"torchclinic.error_notes.kinds.{name}") for name in names]
    return tuple(cast(KindModule, module) for module in modules if hasattr(module, "KIND"))


def nearest(message: str, count: int = 3) -> Iterator[Kind]:
    """Kinds whose messages share the most words with a message that none of them matches."""
    words = set(_words(message))
    shared = {m.KIND.code: len(words & set(_words(" ".join(m.KIND.messages)))) for m in kinds()}
    best = sorted(kinds(), key=lambda module: -shared[module.KIND.code])[:count]
    return (module.KIND for module in best if shared[module.KIND.code] >= 2)


def _words(text: str) -> list[str]:
    plain = re.sub(r"\(\?P<\w+>|\\[a-zA-Z]|[^A-Za-z]", " ", text.lower())
    return [word for word in plain.split() if len(word) > 3 and word not in _COMMON]


_COMMON = frozenset(
    ["error", "runtimeerror", "valueerror", "expected", "should", "must", "with", "that", "have", "from", "this", "tensor"]
)


def numbers(text: str) -> tuple[int, ...]:
    """'[2, 3]', '2x3' or '2, 3' -> (2, 3)."""
    return tuple(map(int, re.findall(r"-?\d+", text)))


def shape(sizes: Any) -> str:
    """(2, 3) -> '[2, 3]'."""
    return str(list(sizes))
