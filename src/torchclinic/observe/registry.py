"""Finds the collectors and probes: whatever stands in their folders takes part."""

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from torchclinic.observe.collector import Collector
from torchclinic.observe.taps.tap import Tap

_FOLDERS = ("torchclinic.observe.collectors", "torchclinic.observe.probes")


@cache
def discover() -> tuple[type[Collector], ...]:
    """Every collector and probe, in the order of their modules' names."""
    found: list[type[Collector]] = []
    for folder in _FOLDERS:
        package = import_module(folder)
        for info in pkgutil.walk_packages(package.__path__, folder + "."):
            found += _collectors_in(import_module(info.name))
    return tuple(found)


def _collectors_in(module: Any) -> Iterator[type[Collector]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Collector) and value.__module__ == module.__name__:
            yield value


@cache
def taps() -> tuple[type[Tap], ...]:
    """Every tap, in the order of their modules' names."""
    package = import_module("torchclinic.observe.taps")
    found: list[type[Tap]] = []
    for info in pkgutil.iter_modules(package.__path__, "torchclinic.observe.taps."):
        module = import_module(info.name)
        found += [v for v in vars(module).values() if _is_tap(v) and v.__module__ == module.__name__]
    return tuple(found)


def _is_tap(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Tap) and value is not Tap
