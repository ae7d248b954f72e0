"""Samplers that deal data out to the ranks, and whether they are told of each epoch."""

from typing import Any

from torch.utils.data.distributed import DistributedSampler

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import BatchDrawn, DataDivided, LoaderOpened
from torchclinic.observe.records import SamplerUse
from torchclinic.observe.state.ranks import replicas


class Samplers(Collector):
    def prepare(self) -> None:
        self.found: dict[int, SamplerUse] = {}
        self._divides = False
        self._epochs: dict[int, int] = {}  # of the sampler's last iteration that trained
        self._draws: dict[int, tuple[int, int, int]] = {}  # iterator -> sampler, its epoch, steps so far

    def loader_opened(self, event: LoaderOpened) -> None:
        """An earlier iterator may have had the same id."""
        self._draws.pop(id(event.iterator), None)

    def batch_drawn(self, event: BatchDrawn) -> None:
        """The second one after a step shows that the loader feeds a training."""
        sampler = sampler_of(event.loader)
        if not isinstance(sampler, DistributedSampler):
            return
        clock, key = self.state.clock.steps_total, id(sampler)
        drawn_by, epoch, before = self._draws.get(id(event.iterator), (key, sampler.epoch, clock))
        self._draws[id(event.iterator)] = (key, epoch, -1 if clock > before or before < 0 else clock)
        if clock == before or before < 0 or drawn_by != key:
            return
        if not self._divides and sampler.num_replicas == replicas():
            self._divides = True
            self.tell(DataDivided())
        if not sampler.shuffle:
            return
        use = self.found.setdefault(key, SamplerUse(event.line, sampler.num_replicas, 0, 0))
        use.repeated += self._epochs.get(key) == epoch
        use.epochs += 1
        self._epochs[key] = epoch


def sampler_of(loader: Any) -> Any:
    """The sampler that orders the data set of a loader."""
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, DistributedSampler):
        return sampler
    return getattr(getattr(loader, "batch_sampler", None), "sampler", None)
