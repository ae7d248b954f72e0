"""Whether a copy of the model can be taught its last batch: is it the model that cannot learn, or the way it is taught?"""

import copy
import math
import weakref
from collections.abc import Iterator
from time import perf_counter

import torch
from torch import nn

from torchclinic.instruments.arguments import apply
from torchclinic.instruments.guard import untouched
from torchclinic.instruments.values import tensors_in
from torchclinic.observe.events import LossCalled, ModelEnds, ObservationEnds
from torchclinic.observe.probe import Probe, unsuitable
from torchclinic.observe.probes.mode_gap import constant_error, keep, label, loss
from torchclinic.observe.records import Refit
from torchclinic.observe.state.kept import KeptBatch

FIRST_STEP = 50  # earlier copies are no sign of anything; batches are kept whenever the run has become twice as long
MOST_PARAMETERS = 5_000_000
UPDATES = 80
RATE = 3e-3
SECONDS = 1.5
UNLEARNT = 0.9  # of the error of the best constant prediction
LEARNT = 0.5


class Refits(Probe):
    def prepare(self) -> None:
        self._due = 0
        self._open: tuple[weakref.ref[nn.Module], KeptBatch] | None = None  # its target is not known yet
        self._latest: tuple[weakref.ref[nn.Module], KeptBatch] | None = None
        self._copy: tuple[nn.Module, KeptBatch, int] | None = None
        self._refit: Refit | None = None
        self._ended = False

    def model_ends(self, event: ModelEnds) -> None:
        if self.state.clock.step < self._due or not event.forward.to_train or event.forward.recomputed:
            return
        self._open = None
        if event.track.parameters <= MOST_PARAMETERS and not unsuitable(event.model, event.track, event.args, event.kwargs):
            self.attempt(lambda: self._keep(event))

    def _keep(self, event: ModelEnds) -> None:
        kept = keep(event.model, event.args, event.kwargs, event.result)
        self._open = (weakref.ref(event.model), kept) if kept is not None else None

    def loss_called(self, event: LossCalled) -> None:
        opened, self._open = self._open, None
        if opened is None or not event.training:
            return
        label(opened[1], event.function, event.prediction, event.target)
        if opened[1].target is not None:
            step = self.state.clock.step
            self._latest, self._due = opened, 2 * step + 1
            if step >= FIRST_STEP:
                self.attempt(self._take)

    def observation_ends(self, event: ObservationEnds) -> None:
        self._ended = True
        if self.state.clock.step >= FIRST_STEP:
            self.attempt(self._take)

    def _take(self) -> None:
        """Copy the model as it is now, if it is still there."""
        model = self._latest[0]() if self._latest is not None else None
        if self._latest is None or model is None:
            return
        try:
            with untouched(model):
                self._copy = copy.deepcopy(model), self._latest[1], self.state.clock.step
        except Exception:  # noqa: BLE001 - a model that cannot be copied is not refitted
            self._copy = None

    def records(self) -> Iterator[object]:
        yield from super().records()
        if self._ended and self._copy is not None:  # torch is as it was: what happens here is no part of the run
            taken, self._copy = self._copy, None
            self.attempt(lambda: self._teach(*taken))
        if self._refit is not None:
            yield self._refit

    def _teach(self, model: nn.Module, kept: KeptBatch, step: int) -> None:
        assert kept.target is not None
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        constant = constant_error(kept.function, kept.target)
        errors: list[float] = []
        try:
            with untouched(model), torch.enable_grad():
                errors = _taught(model, parameters, kept, constant)
        except Exception:  # noqa: BLE001 - what fails on a copy says nothing of the script's model
            return
        if errors and math.isfinite(errors[0]):
            name = type(model).__name__
            self._refit = Refit(name, step, kept.rows, kept.function, constant, errors[0], min(errors), len(errors) - 1)


def _taught(model: nn.Module, parameters: list[nn.Parameter], kept: KeptBatch, constant: float) -> list[float]:
    """The error before each update by Adam, until it is half of the constant's; empty if the model has learnt already."""
    assert kept.target is not None
    optimizer, errors, begin = torch.optim.Adam(parameters, RATE), [], perf_counter()
    for _ in range(UPDATES + 1):
        args, kwargs = apply((kept.args, kept.kwargs), torch.clone)
        output = next(t for t in tensors_in(model(*args, **kwargs)) if t.is_floating_point())
        value = loss(kept.function, output, kept.target)
        errors.append(float(value.detach()))
        if errors[0] < UNLEARNT * constant:
            return []
        if errors[-1] < LEARNT * constant or perf_counter() - begin > SECONDS or not value.requires_grad:
            break
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return errors
