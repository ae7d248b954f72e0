"""What eval mode makes of a batch that the model was trained on, at the moment the script evaluates."""

from collections.abc import Iterator

from torch import nn

from torchclinic.observe.apart import beside
from torchclinic.observe.events import EvaluationRuns
from torchclinic.observe.probe import Probe
from torchclinic.observe.probes.mode_gap import mode_gap, normalizations
from torchclinic.observe.records import ForwardPass, ModeGap
from torchclinic.observe.state.kept import KeptBatch
from torchclinic.observe.state.model_track import ModelTrack


class ModeGaps(Probe):
    def prepare(self) -> None:
        self._gaps: dict[int, ModeGap] = {}

    def evaluation_runs(self, event: EvaluationRuns) -> None:
        if event.forward.evaluating() and normalizations(event.model):
            self.attempt(lambda: self._gap(event.model, event.track, event.kept, event.forward))

    def _gap(self, model: nn.Module, track: ModelTrack, kept: KeptBatch, forward: ForwardPass) -> None:
        step = self.state.clock.step
        gap = beside(model, [kept.args, kept.kwargs], lambda: mode_gap(model, track, kept, step))
        if gap is not None:
            gap.line = self.state.origins.line(model.get_submodule(gap.example)) or forward.line
            self.state.purposes.if_evaluated(forward, lambda: self._gaps.__setitem__(track.index, gap))

    def records(self) -> Iterator[object]:
        yield from super().records()
        for gap in self._gaps.values():
            gap.steps = self.state.clock.step
            yield gap
