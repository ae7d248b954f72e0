"""Clipped gradients: by how much, when, and whether they were scaled."""

from collections.abc import Iterator

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import GradientsClipped, StepEnds
from torchclinic.observe.records import ClipUse, ScaledClip
from torchclinic.observe.state.tracks import OptimizerTrack, length

MOST_POINTS = 400


class Clips(Collector):
    def prepare(self) -> None:
        self._uses: dict[str, ClipUse] = {}  # by line
        self._scaled: dict[str, ScaledClip] = {}
        self._latest: tuple[ClipUse, int] | None = None  # and the step

    def gradients_clipped(self, event: GradientsClipped) -> None:
        line, step = event.line, self.state.clock.step
        if event.scaled:
            known = self._scaled.setdefault(line, ScaledClip(line, step, event.scaled, 0))
            known.calls += 1
        use = self._uses.setdefault(line, ClipUse(line, event.function, event.limit))
        use.calls += 1
        if event.foreign is not None:
            use.foreign, use.foreign_shape = True, tuple(event.foreign.shape)
        track = self._owner(event.tensors)
        use.late += track is not None and track.steps > 0 and track.backwards == 0
        if event.after > 0 and not use.foreign and len(use.factors) < MOST_POINTS:
            use.factors.append(event.before / event.after)
            self._latest = use, step

    def _owner(self, tensors: list[object]) -> OptimizerTrack | None:
        tracks = list(self.state.training.optimizers.values())
        if len(tracks) <= 1:
            return tracks[0] if tracks else None
        own = {id(tensor) for tensor in tensors}
        owners = [track for track in tracks if not own.isdisjoint(track.keys or map(id, track.parameters()))]
        return owners[0] if len(owners) == 1 else None

    def step_ends(self, event: StepEnds) -> None:
        if not event.live:
            return
        latest, self._latest = self._latest, None
        weights = length(event.before)
        if latest is not None and latest[1] == self.state.clock.step and weights > 0:
            moves = [now - then for now, then in zip(event.live, event.before, strict=True)]
            latest[0].travel.append(length(moves) / weights)

    def records(self) -> Iterator[ClipUse | ScaledClip]:
        yield from self._scaled.values()
        for use in self._uses.values():
            use.steps = self.state.clock.step
            yield use
