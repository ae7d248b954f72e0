"""Whether the model can be taught one batch, when the run has ended: is it the model that cannot learn, or the way it is taught?"""

import math
import weakref
from collections.abc import Iterator
from time import perf_counter

import torch
from torch import nn

from torchclinic.instruments.arguments import apply
from torchclinic.instruments.guard import untouched
from torchclinic.instruments.values import tensors_in
from torchclinic.observe.apart import beside
from torchclinic.observe.events import LossCalled, ModelEnds, ObservationEnds
from torchclinic.observe.probe import Probe, unsuitable
from torchclinic.observe.probes.mode_gap import constant_error, error, keep, label, loss
from torchclinic.observe.records import Refit
from torchclinic.observe.state.kept import KeptBatch

FIRST_STEP = 50  # before it nothing need be learnt; a batch is kept whenever the run has become twice as long
MOST_PARAMETERS = 5_000_000
UPDATES = 80
RATE = 3e-3
SECONDS = 1.5
UNLEARNT = 0.9  # of the error of the best constant prediction
LEARNT = 0.5


class Refits(Probe):
    def prepare(self) -> None:
        self._due = 0
        self._open: tuple[nn.Module, KeptBatch] | None = None  # until its loss is called
        self._latest: tuple[weakref.ref[nn.Module], KeptBatch] | None = None
        self._held: nn.Module | None = None  # a model that had learnt nothing: it has to outlive the script's last function
        self._refit: Refit | None = None

    def model_ends(self, event: ModelEnds) -> None:
        if self.state.clock.step < self._due or not event.forward.to_train or event.forward.recomputed:
            return
        self._open = None
        if event.track.parameters <= MOST_PARAMETERS and not unsuitable(event.model, event.track, event.args, event.kwargs):
            self.attempt(lambda: self._keep(event))

    def _keep(self, event: ModelEnds) -> None:
        kept = keep(event.model, event.args, event.kwargs, event.result)
        self._open = (event.model, kept) if kept is not None else None

    def loss_called(self, event: LossCalled) -> None:
        opened, self._open = self._open, None
        if opened is None or not event.training:
            return
        model, kept = opened
        label(kept, event.function, event.prediction, event.target)
        if kept.target is None:
            return
        step = self.state.clock.step
        self._latest, self._due = (weakref.ref(model), kept), 2 * step + 1
        if step >= FIRST_STEP:
            now = error(kept.function, event.prediction[: kept.rows].detach(), kept.target)
            self._held = model if not now < UNLEARNT * constant_error(kept.function, kept.target) else None

    def observation_ends(self, event: ObservationEnds) -> None:
        """Torch is as it was: what happens here is no part of the run."""
        model = self._latest[0]() if self._latest is not None else None
        self._held = None
        if self._latest is not None and model is not None and self.state.clock.step >= FIRST_STEP:
            kept = self._latest[1]
            self.attempt(lambda: self._teach(model, kept))

    def _teach(self, model: nn.Module, kept: KeptBatch) -> None:
        assert kept.target is not None
        constant = constant_error(kept.function, kept.target)
        errors = beside(model, [kept.args, kept.kwargs], lambda: _taught(model, kept, constant))
        if errors and math.isfinite(errors[0]):
            step, name = self.state.clock.step, type(model).__name__
            self._refit = Refit(name, step, kept.rows, kept.function, constant, errors[0], min(errors), len(errors) - 1)

    def records(self) -> Iterator[object]:
        if self._refit is not None:
            yield self._refit


def _taught(model: nn.Module, kept: KeptBatch, constant: float) -> list[float]:
    """The error before each update by Adam, until it is half of the constant's; empty if the model has learnt already."""
    assert kept.target is not None
    errors: list[float] = []
    with untouched(model), torch.enable_grad():
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], RATE)
        begin = perf_counter()
        while len(errors) <= UPDATES and perf_counter() - begin < SECONDS:
            args, kwargs = apply((kept.args, kept.kwargs), torch.clone)
            output = next(tensor for tensor in tensors_in(model(*args, **kwargs)) if tensor.is_floating_point())
            value = loss(kept.function, output, kept.target)
            errors.append(float(value.detach()))
            if errors[0] < UNLEARNT * constant:
                return []
            if errors[-1] < LEARNT * constant or not value.requires_grad:
                break
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    return errors
