"""How signal and gradient travel through each trained model, and what eval mode makes of its batch: at its first step and
once more a little later."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import nn

from torchclinic.instruments.layer_signal import Propagation
from torchclinic.instruments.propagation import propagation
from torchclinic.instruments.values import tensors_in
from torchclinic.observe.apart import beside
from torchclinic.observe.events import LossCalled, ModelRuns
from torchclinic.observe.probe import MOST_MODELS, Probe, unsuitable
from torchclinic.observe.probes.eval_pass import eval_pass, print_of
from torchclinic.observe.records import EvalPass

LATER_STEP = 5  # the second look, after training has begun


class FirstLooks(Probe):
    def prepare(self) -> None:
        self._signals: list[Propagation] = []
        self._eval_passes: list[EvalPass] = []
        self._done: set[tuple[int, bool]] = set()
        self._prints: dict[int, tuple[float, ...]] = {}  # of the batch at the first look

    def model_runs(self, event: ModelRuns) -> None:
        model, track, args, kwargs = event.model, event.track, event.args, event.kwargs
        step = self.state.clock.step
        key = (track.index, step >= LATER_STEP)
        if not event.forward.to_train or key in self._done or 0 < step < LATER_STEP or track.index >= MOST_MODELS:
            return
        if self.state.training.owned().isdisjoint(track.parameter_names):
            return
        self._done.add(key)
        if reason := unsuitable(model, track, args, kwargs):
            self.fail(reason)
            return
        self.attempt(lambda: self._propagation(model, args, kwargs))
        self.attempt(lambda: self._eval_pass(model, track.index, args, kwargs))

    def _propagation(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The record, with the lines on which weights were given their first values."""
        step = self.state.clock.step
        record = beside(model, [args, kwargs], lambda: propagation(model, kwargs or args, step=step))
        parameters = dict(model.named_parameters(remove_duplicate=False))
        line, rows = "", []
        for row in record.rows:
            if row.parameter in parameters:
                line = self.state.origins.values_line(parameters[row.parameter])
            rows.append(replace(row, line=line))
        self._signals.append(replace(record, rows=tuple(rows)))

    def _eval_pass(self, model: nn.Module, index: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        step = self.state.clock.step
        found = beside(model, [args, kwargs], lambda: eval_pass(model, args, kwargs, step))
        if found is not None:
            batch = print_of(args, kwargs)
            found.shape = next((tuple(tensor.shape) for tensor in tensors_in([args, kwargs])), ())
            found.fresh = self._prints.setdefault(index, batch) != batch
            self._eval_passes.append(found)

    def loss_called(self, event: LossCalled) -> None:
        """Does the loss take one label for each row?"""
        prediction, target = event.prediction, event.target
        for record in self._eval_passes if event.training else ():
            if record.step == self.state.clock.step and target.dim() and record.shape.count(len(target)) == 1:
                record.labelled = record.labelled or record.shape[0] == len(prediction) == len(target)

    def records(self) -> Iterator[object]:
        yield from super().records()
        yield from self._signals
        yield from self._eval_passes
