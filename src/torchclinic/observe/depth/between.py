"""Steps that nobody looks at: what the wrappers do for them, in as few operations as possible.

While `on`, a call that is found in here is dealt with at once; whatever else happens goes the ordinary way.
"""

import sys
from threading import get_ident
from time import perf_counter

import torch
from torch import Tensor, nn

from torchclinic.observe.bus import Bus
from torchclinic.observe.depth.budget import Budget
from torchclinic.observe.own import unwatched
from torchclinic.observe.state.clock import Depth
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.observe.state.purposes import call_site
from torchclinic.observe.state.ranks import replicas
from torchclinic.observe.state.state import State
from torchclinic.observe.state.tracks import OptimizerTrack
from torchclinic.observe.statistics.sampler import Sampler

CALLS = 16  # of a model between two looks at whether its parameters were replaced
AT_ONCE = 0.02  # seconds of steps between two looks at the budget
MOST_AT_ONCE = 16  # steps


class Between:
    def __init__(self, state: State, bus: Bus, budget: Budget, sampler: Sampler) -> None:
        self.state, self.bus, self._budget, self._sampler = state, bus, budget, sampler
        self._clock, self._training = state.clock, state.training
        self.on = False
        self.optimizers: dict[int, OptimizerTrack] = {}
        self.models: dict[int, ModelTrack] = {}
        self.modules: set[int] = set()  # within them
        self.callers = state.models.callers
        self._steps = 0  # that the budget was not told of
        self._most = 1  # of them
        self._thread = get_ident()

    def begin(self) -> None:
        """After a step, if it is one of those that nobody looks at."""
        if self.on or self._clock.depth is not Depth.BETWEEN or not self._training.optimizers or replicas() > 1:
            return
        self.on = True
        optimizers, models = self._training.optimizers, self.state.models
        self.optimizers = {key: track for key, track in optimizers.items() if track.ref() is not None}
        owned = self._training.owned()  # the calls of a network that nothing trains are counted, on the ordinary way
        trained = {key: track for key, track in models.tracks.items() if not owned.isdisjoint(track.current)}
        self.models = trained
        self.modules = models.known.difference(models.tracks)

    def end(self) -> None:
        if self.on:
            self.on = False
            self.optimizers, self.models = {}, {}
            if steps := self.untold_steps():
                self._budget.step(observed=False, steps=steps)

    def counts(self, model: nn.Module) -> bool:
        """Whether the calls of a model are counted here."""
        return self.on and id(model) in self.models

    def passes(self, key: int) -> bool:
        """Whether a part of a model is called by what calls parts of models."""
        return key in self.modules and id(sys._getframe(2).f_code) in self.callers

    def takes(self, model: nn.Module) -> bool:
        """Whether a model is called for training as it was before; every sixteenth call is looked at more closely."""
        track = self.models.get(id(model))
        if track is None or track.training != model.training or not torch.is_grad_enabled() or track.ref() is not model:
            return False
        if call_site(2, model.training) not in track.sites:
            return False
        track.calls_between = (track.calls_between + 1) % CALLS
        if not track.calls_between or track.exhausted(self._clock.backwards):
            return False
        track.repeat(self._clock.backwards)
        return True

    def cleared(self, owner: object) -> bool:
        track = self.optimizers.get(id(owner))
        if track is None or track.ref() is not owner or get_ident() != self._thread:
            return False
        start = perf_counter()
        track.clear("")
        track.closed = track.closed or bool(track.pattern)
        self._budget.between += perf_counter() - start
        return True

    def backward_begins(self, root: Tensor) -> bool:
        if not unwatched() or get_ident() != self._thread:
            return False
        start = perf_counter()
        self._clock.backwards += 1
        self.state.losses.add(root, self._clock.step)
        self._training.counted()
        if root.is_cpu:  # on a GPU it is the script's work that is waited for when losses are read
            self._budget.between += perf_counter() - start
        return True

    def backward_ended(self, root: Tensor) -> None:
        start = perf_counter()
        for glance in self.bus.glances:
            glance(root)
        self._budget.between += perf_counter() - start

    def step_begins(self, optimizer: torch.optim.Optimizer) -> bool:
        """A step without a closure."""
        training, groups = self._training, optimizer.param_groups
        track = self.optimizers.get(id(optimizer))
        if track is None or track.ref() is not optimizer or track.steps & (track.steps - 1) == 0 or not groups:
            return False
        start = perf_counter()
        rate, other = groups[0].get("lr"), get_ident() != self._thread
        if other or training.inside_step or track.loads != training.loads:
            return False
        if type(rate) is not float or not track.rates:
            return False
        if track.rates[-1][1] != rate:
            track.rates.append((track.steps, rate))
        self._budget.between += perf_counter() - start
        if self._sampler.on:
            self._sampler.before_step(optimizer)
        return True

    def step_ends(self, optimizer: torch.optim.Optimizer) -> bool:
        """A step that is not inside another one; whether nothing else is to be done for it."""
        track = self.optimizers.get(id(optimizer))
        if track is None or track.ref() is not optimizer or get_ident() != self._thread:
            return False
        if self._sampler.on:
            self._sampler.after_step(optimizer)
        start = perf_counter()
        track.stepped()
        self._clock.evaluation_forwards = 0
        self._budget.between += perf_counter() - start
        return True

    def due(self) -> bool:
        """After each of these steps: whether it is time to look at the budget and the schedule."""
        over = self._steps + 1 >= self._most or self._sampler.on
        self._steps += not over
        return over

    def untold_steps(self) -> int:
        """How many steps have ended here since this was last asked."""
        steps, self._steps = self._steps, 0
        until, plain = self._budget.until_due(self._clock.step), max(self._budget.plain, 1e-6)
        self._most = max(1, min(MOST_AT_ONCE, int(AT_ONCE / plain), until))
        return steps
