"""Data loaders as they are iterated."""

from collections.abc import Callable
from typing import Any

from torch.utils.data import dataloader

from torchclinic.observe.events import BatchDrawn, LoaderOpened
from torchclinic.observe.taps.tap import Tap
from torchclinic.script.lines import user_line


class LoaderTap(Tap):
    def install(self, replace: Callable[..., None]) -> list[Any]:
        replace(dataloader.DataLoader, "__iter__", self._wrap_iter)
        replace(dataloader._BaseDataLoaderIter, "__next__", self._wrap_next)
        return []

    def _wrap_iter(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __iter__(loader: Any) -> Any:  # noqa: N807
            iterator = original(loader)
            if self.clock.recording():
                with self.own.work():
                    built = self.state.origins.line(loader)
                    if self.state.loaders.open(loader, iterator, user_line(), built):
                        self.tell(LoaderOpened(loader, iterator))
            return iterator

        return __iter__

    def _wrap_next(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __next__(iterator: Any) -> Any:  # noqa: N807
            batch = original(iterator)
            if (entry := self.state.loaders.draw(iterator)) is not None:
                sampled = self.wiring.sampler.on and not self.clock.full
                record = entry.record
                with self.own.work() if sampled else self.own.notes():
                    self.tell(BatchDrawn(entry.loader(), iterator, batch, record.line, record.built, sampled))
            return batch

        return __next__
