"""Which models ran, and which of their modules."""

from collections.abc import Iterator

from torchclinic.observe.collector import Collector
from torchclinic.observe.records import ModelRecord


class ModelsSeen(Collector):
    def records(self) -> Iterator[ModelRecord]:
        models = self.state.models
        for track in models.tracks.values():
            keys = {path: key for key, path in track.paths.items()}
            rows = [(path, kind, size, models.ran.get(keys.get(path, 0), 0)) for path, kind, size in track.sizes]
            name = models.prefix(track).rstrip(".") or track.kind
            yield ModelRecord(name, track.kind, track.parameters, track.trainable, track.calls, track.tied, rows)
