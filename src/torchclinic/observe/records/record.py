"""What a record is: a dataclass that a collector fills in while the run goes on, and that rules read as a frozen copy."""

from dataclasses import FrozenInstanceError, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, ClassVar, NoReturn, TypeVar

Kind = TypeVar("Kind")


class Absence(Enum):
    """Where a run without such a record is fine: what is recorded did not happen."""

    IN_TRAINING = "in training"  # fine if the script trained; else there was no occasion
    IN_ANY_RUN = "in any run"


class Record:
    """Base of what collectors give. A rule that reads a class finds in `absence` what a run without such a record means:
    one of `Absence`, or why the rule has nothing to say; where that is empty, a probe that could not be made tells."""

    __slots__ = ()
    absence: ClassVar[Absence | str]

    def __init_subclass__(cls, absence: Absence | str | None = None) -> None:
        if absence is not None:
            cls.absence = absence


def frozen(record: Kind) -> Kind:
    """A copy of a dataclass as it is now, equal to it and of its class, that refuses assignment. Its lists and
    dictionaries are copied, and what they hold is frozen as well."""
    kind: Any = type(record)
    if not _changes(kind):
        return record
    copy: Kind = object.__new__(_refusing(kind))
    for name in _names(kind):
        object.__setattr__(copy, name, _still(getattr(record, name)))
    return copy


def _still(value: Any) -> Any:
    kind: Any = type(value)
    if kind is list:
        return [frozen(item) for item in value] if value and is_dataclass(value[0]) else value.copy()
    if kind is dict:
        return value.copy()
    return frozen(value) if _changes(kind) else value


@cache
def _changes(kind: Any) -> bool:
    return is_dataclass(kind) and kind.__setattr__ is object.__setattr__


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _refusing(kind: Any) -> Any:
    def values(record: object) -> tuple[Any, ...]:
        return tuple(getattr(record, name) for name in _names(kind))

    def equal(self: object, other: object) -> bool:
        return isinstance(other, kind) and values(self) == values(other)

    def refuse(self: object, name: str, value: object = None) -> NoReturn:
        raise FrozenInstanceError(f"cannot change {name!r} of a record that was collected")

    own = {"__slots__": (), "__eq__": equal, "__hash__": None, "__setattr__": refuse, "__delattr__": refuse}
    return type(kind.__name__, (kind,), {**own, "__module__": kind.__module__, "__qualname__": kind.__qualname__})
