"""Loader workers that draw the same random numbers."""

from collections.abc import Iterable

from torchclinic.observe.collector import Collector
from torchclinic.observe.records import WorkerRandomness


class Workers(Collector):
    def records(self) -> Iterable[WorkerRandomness]:
        draws = self.state.loaders.worker_draws
        found: dict[tuple[str, str], WorkerRandomness] = {}
        for (line, iterator, source, _), workers in draws.items():
            every = {w for (_, i, s, _), ws in draws.items() if (i, s) == (iterator, source) for w in ws}
            known = found.setdefault((line, source), WorkerRandomness(line, len(every), 0, source))
            known.alike = max(known.alike, len(workers))
        return found.values()
