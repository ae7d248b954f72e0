"""Steps of optimizers that were looked at: which gradients they used, and how far they went."""

from collections.abc import Iterable

from torch import Tensor

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import StepBegins, StepEnds, StepSeen
from torchclinic.observe.records import StepRecord
from torchclinic.observe.state.tracks import length, nonzero
from torchclinic.script.lines import user_line

MOST_RECORDS = 2_000  # beyond it the middle ones go


class Steps(Collector):
    def prepare(self) -> None:
        self._records: list[StepRecord] = []
        self._open: dict[int, StepRecord] = {}  # by optimizer

    def step_begins(self, event: StepBegins) -> None:
        if not event.observed:
            return
        track, known = event.track, self.state.training.parameters
        record = StepRecord(
            track.index,
            track.name,
            self.state.clock.step,
            user_line(),
            track.rates[-1][1],
            True,
            track.backwards,
            track.cleared,
            track.cleared_after_backward and track.backwards_uncleared == 0,
            track.clear_line,
        )
        owned = track.parameters()
        sizes = [size for _, size in event.gradients]
        sparse = any(p.grad is not None and p.grad.is_sparse for p in owned)
        record.owned = len(owned)
        record.foreign_line = track.foreign_line
        record.path_exists = track.reached_since_step > 0 or track.backwards == 0
        record.left_by_backward = any(known[id(p)].left for p in owned)
        record.with_gradient = sum(size > 0 for size in sizes)
        record.empty = not sparse and not any(size != 0 for size in sizes)
        record.gradient_norm = _length(sizes)
        stale = self._stale(event)
        record.stale = len(stale)
        if stale:
            record.example = self.state.training.name_of(stale[0])
        self._records.append(record)
        self._open[track.index] = record

    def _stale(self, event: StepBegins) -> list[Tensor]:
        """Parameters whose gradient a step had used before, and nothing has cleared since."""
        known = self.state.training.parameters
        return [p for p, size in event.gradients if size > 0 and known[id(p)].stale and not event.track.cleared]

    def step_ends(self, event: StepEnds) -> None:
        record = self._open.pop(event.track.index, None)
        if record is not None and (event.live or not record.with_gradient):
            moves = nonzero([now - then for now, then in zip(event.live, event.before, strict=True)])
            record.moved = sum(size != 0 for size in moves)
            record.update_norm, record.weight_norm = _length(moves), length(event.live)

    def step_seen(self, event: StepSeen) -> None:
        if len(self._records) > MOST_RECORDS:
            del self._records[MOST_RECORDS // 2 : -MOST_RECORDS // 4]

    def records(self) -> Iterable[StepRecord]:
        return self._records


def _length(sizes: list[float]) -> float:
    return float(sum(size * size for size in sizes) ** 0.5)
