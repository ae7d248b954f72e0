"""Loaders, and how often each was iterated. The state keeps them: batches are led back to them."""

from collections.abc import Iterable

from torchclinic.observe.collector import Collector
from torchclinic.observe.records import LoaderRecord


class LoadersSeen(Collector):
    def records(self) -> Iterable[LoaderRecord]:
        return self.state.loaders.records.values()
