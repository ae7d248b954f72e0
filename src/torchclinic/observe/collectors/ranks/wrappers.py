"""Modules inside a data-parallel wrapper, and whether they are called through it."""

import weakref
from collections.abc import Iterator

from torch import nn

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import ModelBegins, ModelWrapped
from torchclinic.observe.records import ForwardPass, WrapperBypass
from torchclinic.observe.state.ranks import replicas

MOST_WRAPPED = 100
MOST_DIRECT = 1000


class Wrapped:
    """A module that was given to a data-parallel wrapper."""

    def __init__(self, wrapper: nn.Module, inner: nn.Module) -> None:
        self.wrapper, self.inner = weakref.ref(wrapper), weakref.ref(inner)
        self.kind = type(wrapper).__name__
        self.replicas = replicas()
        self.through = 0  # forwards with gradients through the wrapper
        self.direct: list[ForwardPass] = []  # and beside it


class Wrappers(Collector):
    def prepare(self) -> None:
        self._wrapped: dict[int, Wrapped] = {}  # by the inner module

    def model_wrapped(self, event: ModelWrapped) -> None:
        if len(self._wrapped) < MOST_WRAPPED:
            self._wrapped[id(event.inner)] = Wrapped(event.wrapper, event.inner)

    def model_begins(self, event: ModelBegins) -> None:
        module, forward = event.model, event.forward
        if not self._wrapped or not forward.to_train or forward.recomputed:
            return
        through = self._wrapped.get(id(getattr(module, "module", None)))
        if through is not None and through.wrapper() is module:
            through.through += 1
        beside = self._wrapped.get(id(module))
        if beside is not None and beside.inner() is module and len(beside.direct) < MOST_DIRECT:
            beside.direct.append(forward)

    def records(self) -> Iterator[WrapperBypass]:
        for entry in self._wrapped.values():
            trained = [forward for forward in entry.direct if forward.stepped]
            if trained and not entry.through:
                first = trained[0]
                yield WrapperBypass(first.line, first.step, first.model, entry.kind, entry.replicas, len(trained), entry.through)
