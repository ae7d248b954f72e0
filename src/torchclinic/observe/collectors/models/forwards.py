"""Every call of a model from outside any other."""

from collections.abc import Iterable

from torchclinic.observe.collector import Collector
from torchclinic.observe.records import ForwardPass


class Forwards(Collector):
    def records(self) -> Iterable[ForwardPass]:
        return self.state.models.forwards
