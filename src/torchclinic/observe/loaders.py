"""Data loaders as they are iterated."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torchclinic.observe.ranks import sampler_of
from torchclinic.observe.records import LoaderRecord
from torchclinic.script.lines import user_line

if TYPE_CHECKING:
    from torchclinic.observe.session import Session


class LoaderWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.records: dict[int, LoaderRecord] = {}
        self._iterators: dict[int, tuple[LoaderRecord, int]] = {}
        self._sources: dict[int, tuple[weakref.ref[Any], tuple[str, ...]]] = {}  # loader of an iterator, and its names
        self._drawn_at = -1

    def wrap_iter(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __iter__(loader: Any) -> Any:  # noqa: N807
            self.session.workers.opening(loader, self.session.origins.line(loader) or user_line())
            iterator = original(loader)
            if self.session.recording() and len(self.records) < 100:
                with self.session.own():
                    self._opened(loader, iterator)
            return iterator

        return __iter__

    def _opened(self, loader: Any, iterator: Any) -> None:
        record = self.records.get(id(loader))
        if record is None:
            batches = len(loader) if hasattr(loader.dataset, "__len__") else 0
            record = self.records[id(loader)] = LoaderRecord(
                user_line(), batches, 0, 0, 0, self.session.origins.line(loader)
            )
        record.iterators += 1
        self._iterators[id(iterator)] = (record, 0)
        self.session.ranks.opened(iterator)
        self._sources[id(iterator)] = (weakref.ref(loader), self.session.held_out.opened(loader))
        if len(self._iterators) > 200:
            self._sources.pop(next(iter(self._iterators)), None)
            self._iterators.pop(next(iter(self._iterators)))

    def wrap_next(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __next__(iterator: Any) -> Any:  # noqa: N807
            batch = original(iterator)
            entry = self._iterators.get(id(iterator))
            if entry is not None:
                record, drawn = entry
                record.drawn += 1
                record.single += {0: 1, 1: -1}.get(drawn, 0)
                self._iterators[id(iterator)] = (record, drawn + 1)
                self._drawn_at = self.session.clock()
                self._drawn(iterator, record)
                if self.session.statistics.on and not self.session.active:
                    with self.session.own():
                        self.session.labels.drawn(batch, record.built or record.line)
            return batch

        return __next__

    def _drawn(self, iterator: Any, record: LoaderRecord) -> None:
        reference, names = self._sources.get(id(iterator), (None, ()))
        self.session.held_out.drawn(names)
        loader = reference() if reference is not None else None
        if loader is not None:
            self.session.ranks.drawn(sampler_of(loader), iterator, record.line)

    def drew_batch(self) -> bool:
        return self._drawn_at == self.session.clock() and any(
            record.batches > 1 and record.single >= record.iterators for record in self.records.values()
        )
