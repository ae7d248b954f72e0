"""What each optimizer owned and did."""

from collections.abc import Iterator
from itertools import pairwise

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import StepBegins
from torchclinic.observe.records import OptimizerRecord
from torchclinic.observe.state.tracks import OptimizerTrack

NO_RATE = 1e-4  # of the highest: a step with less does nothing


class Optimizers(Collector):
    def prepare(self) -> None:
        self._stale: dict[int, int] = {}  # optimizer -> steps on gradients that were consumed before

    def step_begins(self, event: StepBegins) -> None:
        known, track = self.state.training.parameters, event.track
        if event.observed and any(known[id(p)].stale and size > 0 for p, size in event.gradients) and not track.cleared:
            self._stale[track.index] = self._stale.get(track.index, 0) + 1

    def records(self) -> Iterator[OptimizerRecord]:
        for track in self.state.training.optimizers.values():
            yield self._record(track)

    def _record(self, track: OptimizerTrack) -> OptimizerRecord:
        track.parameters()
        rates = [rate for _, rate in track.rates]
        high = max(rates, default=0.0)
        start = track.steps
        for step, rate in reversed(track.rates):
            if rate >= NO_RATE * high:
                break
            start = step
        return OptimizerRecord(
            index=track.index,
            name=track.name,
            line=track.line,
            owned=len(track.keys),
            steps=track.steps,
            pattern="".join(track.pattern),
            orphans=sum(map(self._is_orphan, track.keys)),
            lr_first=rates[0] if rates else 0.0,
            lr_max=high,
            lr_last=rates[-1] if rates else 0.0,
            tail_share=(track.steps - start) / track.steps if track.steps and high > 0 else 0.0,
            tail_start=start,
            alone=len(self.state.training.optimizers) == 1,
            stale_steps=self._stale.get(track.index, 0),
            clear_line=track.clear_line,
            input_backwards=track.input_backwards,
            climbing=_climbs(rates),
        )

    def _is_orphan(self, key: int) -> bool:
        """It was a parameter of a model and is one of none any more, or has never been one nor had a gradient."""
        models = self.state.models.tracks.values()
        if any(key in model.parameter_names for model in models):
            return not any(key in model.current for model in models)
        known = self.state.training.parameters.get(key)
        return known is None or known.reached == 0


def _climbs(rates: list[float]) -> bool:
    rises = [after - before for before, after in pairwise(rates)]
    return len(rises) >= 3 and min(rises) > 0 and rises[-1] > rises[0] / 2
