"""Backward passes that were looked at."""

from collections.abc import Iterable

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import LossUnderstood, StepSeen
from torchclinic.observe.records import BackwardPass

MOST_RECORDS = 2_000  # beyond it the middle ones go


class BackwardPasses(Collector):
    def prepare(self) -> None:
        self._records: list[BackwardPass] = []

    def loss_understood(self, event: LossUnderstood) -> None:
        record = event.backward
        record.error, record.error_mean = event.error, event.error_mean
        self._records.append(record)

    def step_seen(self, event: StepSeen) -> None:
        if len(self._records) > MOST_RECORDS:
            del self._records[MOST_RECORDS // 2 : -MOST_RECORDS // 4]

    def records(self) -> Iterable[BackwardPass]:
        return self._records
