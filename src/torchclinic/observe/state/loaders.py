"""Data loaders, how often each was iterated, and whether the batch at hand came from one."""

import weakref
from typing import Any, NamedTuple

from torchclinic.observe.records import LoaderRecord
from torchclinic.observe.state.clock import Clock

MOST_LOADERS = 100
MOST_ITERATORS = 200


class Iteration(NamedTuple):
    record: LoaderRecord
    drawn: int
    loader: "weakref.ref[Any]"


class Loaders:
    def __init__(self, clock: Clock) -> None:
        self.records: dict[int, LoaderRecord] = {}
        self._iterations: dict[int, Iteration] = {}
        self.worker_draws: dict[tuple[str, int, str, str], set[int]] = {}  # line, iterator, source, state -> workers
        self._clock = clock
        self._drawn_at = -1

    def open(self, loader: Any, iterator: Any, line: str, built: str) -> bool:
        """A loader is iterated; whether it is followed."""
        if len(self.records) >= MOST_LOADERS:
            return False
        record = self.records.get(id(loader))
        if record is None:
            batches = len(loader) if hasattr(loader.dataset, "__len__") else 0
            record = self.records[id(loader)] = LoaderRecord(line, batches, 0, 0, 0, built)
        record.iterators += 1
        self._iterations[id(iterator)] = Iteration(record, 0, weakref.ref(loader))
        if len(self._iterations) > MOST_ITERATORS:
            self._iterations.pop(next(iter(self._iterations)))
        return True

    def draw(self, iterator: Any) -> Iteration | None:
        """An iterator gave a batch; None if it is not followed."""
        entry = self._iterations.get(id(iterator))
        if entry is None:
            return None
        entry.record.drawn += 1
        entry.record.single += {0: 1, 1: -1}.get(entry.drawn, 0)
        self._iterations[id(iterator)] = entry._replace(drawn=entry.drawn + 1)
        self._drawn_at = self._clock.steps_total
        return entry

    def gave_batch(self) -> bool:
        """Whether a batch of this step came from a loader, and loaders are asked for one batch each time."""
        return self._drawn_at == self._clock.steps_total and any(
            record.batches > 1 and record.single >= record.iterators for record in self.records.values()
        )
