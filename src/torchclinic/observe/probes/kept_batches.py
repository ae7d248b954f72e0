"""A batch of each model's latest training forward, kept for what an evaluation will be compared on."""

from typing import Any

from torchclinic.observe.events import EvaluationRuns, LossCalled, ModelEnds, ModelRuns
from torchclinic.observe.probe import MOST_MODELS, Probe, unsuitable
from torchclinic.observe.probes.mode_gap import keep, label
from torchclinic.observe.state.kept import KeptBatch


class KeptBatches(Probe):
    def prepare(self) -> None:
        self._kept: dict[int, KeptBatch] = {}
        self._latest: KeptBatch | None = None
        self._evaluated: dict[int, int] = {}

    def model_ends(self, event: ModelEnds) -> None:
        forward, track = event.forward, event.track
        if not forward.to_train or forward.recomputed:
            return
        self._latest = None
        if track.index < MOST_MODELS and not unsuitable(event.model, track, event.args, event.kwargs):
            self.attempt(lambda: self._keep(track.index, event))

    def _keep(self, index: int, event: ModelEnds) -> None:
        kept = keep(event.model, event.args, event.kwargs, event.result)
        if kept is not None:
            self._kept[index] = self._latest = kept

    def loss_called(self, event: LossCalled) -> None:
        if event.training and self._latest is not None:
            label(self._latest, event.function, event.prediction, event.target)

    def model_runs(self, event: ModelRuns) -> None:
        """Once in each evaluation."""
        kept, evaluation = self._kept.get(event.track.index), self.state.clock.evaluations
        if event.forward.to_train or kept is None or self._evaluated.get(event.track.index) == evaluation:
            return
        self._evaluated[event.track.index] = evaluation
        arguments: tuple[Any, ...] = (event.args, event.kwargs)
        self.tell(EvaluationRuns(event.model, event.track, event.forward, kept, arguments))
