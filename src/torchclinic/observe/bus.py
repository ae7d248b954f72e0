"""Takes events from who tells them to who hears them; the hearers of each are resolved once."""

from collections.abc import Callable, Sequence
from typing import Any

from torchclinic.observe import events
from torchclinic.observe.collector import EVERY, Collector

Hear = Callable[[Any], None]
_BY_OPERATION = (events.OperationBegins, events.OperationCalled, events.OperationEarly)


class Bus:
    """Takes events from who tells them to who hears them."""

    def __init__(self) -> None:
        self._hearers: dict[type, tuple[Hear, ...]] = dict.fromkeys(events.EVENTS, ())
        self._operations: dict[type, dict[str, tuple[Hear, ...]]] = {event: {} for event in _BY_OPERATION}
        self._every: dict[type, tuple[Hear, ...]] = dict.fromkeys(_BY_OPERATION, ())
        self.glances: tuple[Callable[[Any], None], ...] = ()

    def connect(self, collectors: Sequence[Collector]) -> None:
        """Resolve the hearers of each event, in the order of `collectors`."""
        for event in events.EVENTS:
            name = events.method_of(event)
            hearing = [(c, getattr(c, name)) for c in collectors if hasattr(c, name)]
            if event in _BY_OPERATION:
                wanted = {operation for c, _ in hearing for operation in c.operations} - EVERY
                self._every[event] = tuple(hear for c, hear in hearing if c.operations == EVERY)
                self._operations[event] = {
                    operation: tuple(hear for c, hear in hearing if c.operations == EVERY or operation in c.operations)
                    for operation in wanted
                }
            else:
                self._hearers[event] = tuple(hear for _, hear in hearing)
        self.glances = tuple(c.glance for c in collectors if type(c).glance is not Collector.glance)

    def tell(self, event: events.Event) -> None:
        for hear in self._hearers[type(event)]:
            hear(event)

    def hearers(self, event: type, operation: str) -> tuple[Hear, ...]:
        """Who hears an event of this operation."""
        return self._operations[event].get(operation, self._every[event])
