"""When everything is observed: the first steps, later ones on a widening schedule, and the beginnings of evaluations."""

import os
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from torchclinic.observe.between import CALLS
from torchclinic.observe.chains import find_cuts, find_retained
from torchclinic.observe.own import StopRun
from torchclinic.observe.state.dataflow import CallMode
from torchclinic.observe.state.model_track import SAMPLES
from torchclinic.observe.state.tracks import refresh
from torchclinic.observe.stepping import EARLY_BACKWARDS, EARLY_STEPS

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

EARLY_SAMPLES = 40  # steps in which the layers are measured whatever the budget
MOST_BACKWARDS = 5000  # however many optimizers are made
MOST_NODES = 20_000
MOST_RECORDS = 2_000
EVALUATIONS = (
    1,
    2,
    3,
    4,
    6,
    8,
    12,
    16,
)  # evaluations that are looked at whatever the budget; then 32, 64, ... within it
EVALUATION_FORWARDS = 3  # forwards that are observed in each
RELOOK_STEPS = 4  # observed when they were
MOST_RELOOKS = 8


class Windows:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.early_until = EARLY_STEPS
        self.early_backwards = EARLY_BACKWARDS
        self._relooks = 0
        self.mode = CallMode(session.operations.watch)
        self.mode_on = False
        self.evaluation_forwards = 0
        self._pid = os.getpid()
        self._window_first = 0

    def step_seen(self, model: Any) -> bool:
        """The structure of a model is read again in each window."""
        return self.session.step == self._window_first

    def activate(self) -> None:
        session = self.session
        if session.active or session.dead or session.compiled or not session.on_own_thread():
            return
        session.waiting = False
        session.active = True
        session.between.end()
        self._window_first = session.step
        self.watch_calls()

    def watch_calls(self) -> None:
        self.mode.asleep = False
        if not self.mode_on:
            self.mode.__enter__()  # type: ignore[no-untyped-call]
            self.mode_on = True

    def deactivate(self, final: bool = False) -> None:
        session = self.session
        if final:
            session.between.end()
        if not self.mode_on or os.getpid() != self._pid:
            session.active = False
            return
        if not final and not self.mode.on_top() and not self.mode.inside:
            return  # the user's own mode lies above; try again after the next step
        with session.own():
            session.measurements.flush()
            session.memory.end_window()
            self._close_forwards()
            find_cuts(session)
            find_retained(session)
            for track in session.training.parameters.values():
                refresh(track)
        session.seen_operations = [(n.op, n.line, n.where) for n in session.flow.created[-3000:] if n.op]
        session.active = False
        self._leave()
        session.flow.clear()
        session.handmade.clear()
        session.discarded.forget()
        session.modules.outputs.clear()
        session.modules.module_outputs.clear()

    def _leave(self) -> None:
        """Take the mode from the stack. From within a call it cannot be taken (a loop without an optimizer): it sleeps."""
        if self.mode.on_top():
            self.mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self.mode_on = False
        self.mode.asleep = self.mode_on

    def model_called(self, module: nn.Module) -> None:
        """A model is called while nothing is observed: start, or look at a new phase."""
        session = self.session
        if id(module) in session.target_networks.found:
            session.target_networks.called(module)
        if session.dead or not session.on_own_thread() or session.modules.stack:
            return
        if session.waiting:
            if next(module.parameters(), None) is not None:
                self.activate()
            return
        evaluating = not torch.is_grad_enabled()
        if evaluating:
            self._count_evaluation()
            later = session.evaluating & (session.evaluating - 1) == 0 and session.budget.allows()
            if self.evaluation_forwards <= EVALUATION_FORWARDS and (session.evaluating in EVALUATIONS or later):
                self.activate()
        elif self.early() or self._replaced(module) or self._mode_changed(module):
            self.activate()

    def _mode_changed(self, module: nn.Module) -> bool:
        """Is the model called for training in another mode than at first? Then look at a few steps."""
        track = self.session.modules.models.get(id(module))
        if track is None or track.training is None or track.training == module.training or track.ref() is not module:
            return False
        return self._look_again()

    def _replaced(self, module: nn.Module) -> bool:
        """Every sixteenth call: does the model have other parameters than when it was read? Then look at a few steps."""
        track = self.session.modules.models.get(id(module))
        if track is not None and not self.session.between.counts(module):
            track.passed = (track.passed + 1) % CALLS
        if (
            track is None
            or track.passed
            or track.ref() is not module
            or track.current == {id(p) for p in module.parameters()}
        ):
            return False
        return self._look_again()

    def _look_again(self) -> bool:
        if self._relooks >= MOST_RELOOKS:
            return False
        self._relooks += 1
        self.early_until = self.session.step + RELOOK_STEPS
        self.early_backwards = self.session.training.backwards + EARLY_BACKWARDS
        return True

    def model_begins(self, module: nn.Module) -> None:
        """A model is called while everything is observed: a long evaluation is not followed to its end."""
        if torch.is_grad_enabled():
            return
        self._count_evaluation()
        most = EVALUATION_FORWARDS + (SAMPLES if module.training else 0)
        if self.evaluation_forwards > most and not self.session.modules.pending:
            self.deactivate()

    def _count_evaluation(self) -> None:
        if self.evaluation_forwards == 0:
            self.session.evaluating += 1
        self.evaluation_forwards += 1

    def early(self) -> bool:
        session = self.session
        few = session.training.backwards < self.early_backwards
        return (
            session.step < self.early_until
            and (few or session.step < 3)
            and session.training.backwards < MOST_BACKWARDS
        )

    def end_of_step(self) -> None:
        """After an optimizer's step, not after each in between: decide whether the next one is observed."""
        session = self.session
        self.evaluation_forwards = 0
        if session.active:
            session.run.observed_steps += 1
            with session.own():
                session.measurements.flush()
                session.memory.end_window()
                self._close_forwards()
                session.statistics.learn()
            self._trim()
            session.budget.step(observed=True)
            if not self.early() and not session.every_step:
                self.deactivate()
        else:
            if self.mode_on:
                self._leave()
            session.budget.step(observed=False, steps=1 + session.between.passed_steps())
            if session.every_step or session.budget.due(session.step):
                self.activate()
        self._sample_next()
        if session.on_step is not None:
            with session.own():
                session.on_step(session)
        if session.wants_stop is not None and session.wants_stop(session):
            raise StopRun
        session.between.begin()

    def _sample_next(self) -> None:
        """Close the sampled step, and decide whether the layers of the next one are measured."""
        session = self.session
        statistics = session.statistics
        if statistics.on:
            statistics.end_step()
        if not session.active:
            session.budget.sampling += statistics.seconds
        statistics.seconds = 0.0
        wanted = session.active or session.step < EARLY_SAMPLES or session.budget.allows_sampling()
        statistics.on = bool(statistics.layers) and wanted and not session.dead

    def _trim(self) -> None:
        """Bound what a long observation holds: chains of operations start anew, of old records the first are kept."""
        session = self.session
        if len(session.flow.created) > MOST_NODES:
            session.flow.clear()
            session.handmade.clear()
            session.discarded.forget()
            session.modules.outputs.clear()
            session.modules.module_outputs.clear()
        for records in (session.training.steps, session.training.backward_passes):
            if len(records) > MOST_RECORDS:
                del records[MOST_RECORDS // 2 : -MOST_RECORDS // 4]

    def _close_forwards(self) -> None:
        session = self.session
        owned = {i for t in session.training.optimizers.values() if t.steps for i in map(id, t.parameters())}
        for forward, nodes, model in session.modules.outputs.values():
            forward.feeds_backward = forward.feeds_backward or any(node.used for node in nodes)
            forward.trained = forward.trained or not owned.isdisjoint(model.parameter_names)
        if len(session.modules.forwards) > 2000:
            del session.modules.forwards[500:1500]
