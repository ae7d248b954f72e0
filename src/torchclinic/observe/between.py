"""Steps that nobody looks at: what the wrappers do for them, in as few operations as possible.

While `on`, a call that is found in here is dealt with at once; whatever else happens goes the ordinary way.
"""

from threading import get_ident
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from torchclinic.observe.own import unwatched
from torchclinic.observe.ranks import replicas

if TYPE_CHECKING:
    from torchclinic.observe.session import Session
    from torchclinic.observe.state.model_track import ModelTrack
    from torchclinic.observe.state.tracks import OptimizerTrack

CALLS = 16  # of a model between two looks at whether its parameters were replaced
AT_ONCE = 0.02  # seconds of steps between two looks at the budget
MOST_AT_ONCE = 16  # steps


class Between:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.on = False
        self.optimizers: dict[int, OptimizerTrack] = {}
        self.models: dict[int, ModelTrack] = {}
        self.modules: set[int] = set()  # the modules within them
        self._budget = session.budget
        self._steps = 0  # that the budget was not told of
        self._most = 1  # of them
        self._thread = get_ident()

    def begin(self) -> None:
        """After a step, if nothing that needs the ordinary way is going on."""
        session = self.session
        if self.on or session.active or session.waiting or session.dead or session.compiled or session.every_step:
            return
        if (
            session.wants_stop is not None
            or not session.training.optimizers
            or replicas() > 1
            or session.windows.early()
        ):
            return
        self.on = True
        self.optimizers = {key: track for key, track in session.training.optimizers.items() if track.ref() is not None}
        models = session.modules.models
        self.models = {key: track for key, track in models.items() if key not in session.target_networks.found}
        self.modules = session.modules.known.difference(models)

    def end(self) -> None:
        if self.on:
            self.on = False
            self.optimizers, self.models = {}, {}
            if steps := self.passed_steps():
                self._budget.step(observed=False, steps=steps)

    def counts(self, model: nn.Module) -> bool:
        """Whether the calls of a model are counted here."""
        return self.on and id(model) in self.models

    def passes(self, model: nn.Module) -> bool:
        """Whether a model is called for training as it was before; every sixteenth call is looked at more closely."""
        track = self.models.get(id(model))
        if track is None or track.training != model.training or not torch.is_grad_enabled() or track.ref() is not model:
            return False
        track.passed = (track.passed + 1) % CALLS
        return track.passed > 0

    def cleared(self, optimizer: object) -> bool:
        track = self.optimizers.get(id(optimizer))
        if track is None or track.ref() is not optimizer or get_ident() != self._thread:
            return False
        start = perf_counter()
        track.cleared, track.clear_line = True, ""
        track.cleared_after_backward = track.backwards_uncleared > 0
        track.backwards_uncleared = 0
        track.forget_foreign()
        track.closed = track.closed or bool(track.pattern)
        self._budget.between += perf_counter() - start
        return True

    def backward_begins(self, root: Tensor) -> bool:
        if not unwatched() or get_ident() != self._thread:
            return False
        start = perf_counter()
        self.session.backward.counted(root)
        if root.is_cpu:  # on a GPU it is the script's work that is waited for when losses are read
            self._budget.between += perf_counter() - start
        return True

    def step_begins(self, optimizer: torch.optim.Optimizer) -> bool:
        """A step without a closure."""
        session, groups = self.session, optimizer.param_groups
        track = self.optimizers.get(id(optimizer))
        if track is None or track.ref() is not optimizer or track.steps & (track.steps - 1) == 0 or not groups:
            return False
        start = perf_counter()
        rate, other = groups[0].get("lr"), get_ident() != self._thread
        if other or session.training.inside_step or session.checkpoints.loaded_waits(id(optimizer)):
            return False
        if type(rate) is not float or not track.rates:
            return False
        if track.rates[-1][1] != rate:
            track.rates.append((track.steps, rate))
        session.stepping.begins(optimizer)
        self._budget.between += perf_counter() - start
        if session.statistics.on:
            session.statistics.before_step(optimizer)
        return True

    def step_ends(self, optimizer: torch.optim.Optimizer) -> bool:
        """Whether nothing else is to be done for this step."""
        session = self.session
        track = self.optimizers.get(id(optimizer))
        if track is None or track.ref() is not optimizer or get_ident() != self._thread:
            return False
        if session.training.inside_step != 1 or session.labels.waits():
            return False
        sampled = session.statistics.on
        if sampled:
            session.statistics.after_step(optimizer)
        start = perf_counter()
        track.stepped()
        session.updates.unseen()
        session.windows.evaluation_forwards = 0
        session.stepping.ends(optimizer)
        session.stepping.count(optimizer)
        over = self._steps + 1 >= self._most or sampled
        self._steps += not over
        self._budget.between += perf_counter() - start
        if over:
            session.windows.end_of_step()
        return True

    def passed_steps(self) -> int:
        """How many steps have ended here since this was last asked."""
        steps, self._steps = self._steps, 0
        most = min(
            MOST_AT_ONCE, int(AT_ONCE / max(self._budget.plain, 1e-6)), self._budget.until_due(self.session.step)
        )
        self._most = max(1, most)
        return steps
