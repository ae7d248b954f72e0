"""When everything is looked at: the first steps, later ones on a widening schedule, and the beginnings of evaluations."""

import os
from collections.abc import Callable

import torch
from torch import nn

from torchclinic.observe.bus import Bus
from torchclinic.observe.depth.between import CALLS, Between
from torchclinic.observe.depth.budget import Budget
from torchclinic.observe.events import ChainsForgotten, StepSeen, WindowEnded
from torchclinic.observe.own import Own
from torchclinic.observe.state.clock import Depth
from torchclinic.observe.state.model_track import SAMPLES, ModelTrack, Site
from torchclinic.observe.state.state import State
from torchclinic.observe.state.tracks import refresh
from torchclinic.observe.statistics.sampler import Sampler
from torchclinic.observe.taps.calls import CallMode

EARLY_STEPS = 10  # looked at in full after an optimizer is made
EARLY_BACKWARDS = 60
EARLY_SAMPLES = 40  # steps in which the layers are measured whatever the budget
MOST_BACKWARDS = 5000  # however many optimizers are made
MOST_NODES = 20_000
EVALUATIONS = frozenset({1, 2, 3, 4, 6, 8, 12, 16})  # looked at whatever the budget; then 32, 64, ... within it
EVALUATION_FORWARDS = 3  # that are looked at in each
RELOOK_STEPS = 4  # looked at when a model changes
MOST_RELOOKS = 8


class Schedule:
    def __init__(
        self, state: State, bus: Bus, own: Own, budget: Budget, between: Between, sampler: Sampler, mode: CallMode
    ) -> None:
        self._state, self._clock, self._bus, self._own = state, state.clock, bus, own
        self._budget, self._between, self._sampler, self._mode = budget, between, sampler, mode
        self.every_step = False  # look at all steps in full, whatever it costs
        self.after_step: Callable[[], None] = lambda: None
        self.stops = False  # somebody waits for the end of each step
        self._early_until = EARLY_STEPS
        self._early_backwards = EARLY_BACKWARDS
        self._relooks = 0
        self._window_first = 0
        self._compiled = False
        self._paused_at = Depth.WAITING
        self._pid = os.getpid()

    # -- in and out -------------------------------------------------------------------------------------------------

    def window_begins(self) -> bool:
        """Whether this is the first step of a row: the structure of each model is read again."""
        return self._clock.step == self._window_first

    def activate(self) -> None:
        clock = self._clock
        if clock.full or clock.stopped or self._compiled or not clock.own_thread():
            return
        clock.turn(Depth.FULL)
        self._between.end()
        self._window_first = clock.step
        self._mode.see()

    def deactivate(self, final: bool = False) -> None:
        if final:
            self._between.end()
        if not self._mode.entered or os.getpid() != self._pid:
            self._look_away()
            return
        if not final and not self._mode.on_top() and not self._mode.inside:
            return  # the user's own mode lies above; try again after the next step
        with self._own.work():
            self._state.measurements.flush()
            self._state.models.close_forwards(self._state.training.stepped())
            self._bus.tell(WindowEnded())
            for track in self._state.training.parameters.values():
                refresh(track)
        self._look_away()
        self._mode.leave()
        self._forget()

    def _look_away(self) -> None:
        if self._clock.full:
            self._clock.turn(Depth.BETWEEN)

    def _forget(self) -> None:
        self._state.forget_chains()
        self._bus.tell(ChainsForgotten())

    def pause(self) -> bool:
        """See nothing; returns whether every call was seen."""
        seeing = self._mode.entered
        self.deactivate(final=True)
        self._paused_at = self._clock.depth
        self._clock.turn(Depth.PAUSED)
        return seeing

    def go_on(self, seeing: bool) -> None:
        if self._clock.depth is Depth.PAUSED:
            self._clock.turn(self._paused_at)
        if seeing:
            self._mode.see()

    def stop(self) -> None:
        """For good."""
        self._clock.turn(Depth.STOPPED)
        self._sampler.on = False
        self._between.end()

    def compiled(self) -> None:
        """Operations and modules are not seen any more."""
        self._compiled = True
        self.deactivate(final=True)

    # -- what happens -----------------------------------------------------------------------------------------------

    def optimizer_made(self) -> None:
        if self._clock.steps_total:  # a new phase of training: its first steps are looked at as well
            self._look_until(EARLY_STEPS)
        self.activate()

    def _look_until(self, steps: int) -> None:
        self._early_until = self._clock.step + steps
        self._early_backwards = self._clock.backwards + EARLY_BACKWARDS

    def model_called(self, model: nn.Module, site: Site) -> None:
        """A model is called while nothing is looked at: start, or look at a new phase."""
        clock, track = self._clock, self._state.models.tracks.get(id(model))
        if track is not None:
            track.called(model, clock.step)
        if clock.stopped or not clock.own_thread() or self._state.models.stack:
            return
        if clock.waiting:
            if next(model.parameters(), None) is not None:
                self.activate()
            return
        evaluates = self._evaluates(track, site)
        if evaluates:
            self._count_evaluation()
        if torch.is_grad_enabled() and (self.early() or self._replaced(model) or self._mode_changed(model)):
            self.activate()
        elif evaluates:
            later = clock.evaluations & (clock.evaluations - 1) == 0 and self._budget.allows()
            if clock.evaluation_forwards <= EVALUATION_FORWARDS and (clock.evaluations in EVALUATIONS or later):
                self.activate()

    def _mode_changed(self, model: nn.Module) -> bool:
        """Is the model called for training in another mode than at first? Then look at a few steps."""
        track = self._state.models.tracks.get(id(model))
        if track is None or track.training is None or track.training == model.training or track.ref() is not model:
            return False
        return self._look_again()

    def _replaced(self, model: nn.Module) -> bool:
        """Every sixteenth call: does the model have other parameters than when it was read? Then look at a few steps."""
        track = self._state.models.tracks.get(id(model))
        if track is None:
            return False
        if not self._between.counts(model):
            track.calls_between = (track.calls_between + 1) % CALLS
        if track.calls_between or track.ref() is not model or track.current == {id(p) for p in model.parameters()}:
            return False
        return self._look_again()

    def _look_again(self) -> bool:
        if self._relooks >= MOST_RELOOKS:
            return False
        self._relooks += 1
        self._look_until(RELOOK_STEPS)
        return True

    def model_begins(self, model: nn.Module, site: Site) -> None:
        """A model is called while everything is looked at: a long evaluation is not followed to its end."""
        if not self._evaluates(self._state.models.tracks.get(id(model)), site):
            return
        self._count_evaluation()
        most = EVALUATION_FORWARDS + (SAMPLES if model.training else 0)
        known = not (torch.is_grad_enabled() and self.early())  # it may be the first training forward of a new phase
        if known and self._clock.evaluation_forwards > most and not any(f.to_train for f in self._state.models.pending):
            self.deactivate()

    def _evaluates(self, track: ModelTrack | None, site: Site) -> bool:
        """Whether a model is called without gradients, or where no training forward was."""
        return not torch.is_grad_enabled() or track is None or self._state.purposes.is_apart(track, site)

    def _count_evaluation(self) -> None:
        self._clock.evaluations += self._clock.evaluation_forwards == 0
        self._clock.evaluation_forwards += 1

    def early(self) -> bool:
        clock = self._clock
        few = clock.backwards < self._early_backwards
        return clock.step < self._early_until and (few or clock.step < 3) and clock.backwards < MOST_BACKWARDS

    def end_of_step(self) -> None:
        """After an optimizer's step, not after each in between: decide whether the next one is looked at."""
        clock = self._clock
        clock.evaluation_forwards = 0
        if clock.full:
            self._end_seen_step()
        else:
            if self._mode.entered:
                self._mode.leave()
            self._budget.step(observed=False, steps=1 + self._between.untold_steps())
            if self.every_step or self._budget.due(clock.step):
                self.activate()
        self._sample_next()
        self.after_step()
        if not (self._compiled or self.every_step or self.stops or self.early()):
            self._between.begin()

    def _end_seen_step(self) -> None:
        self._clock.observed_steps += 1
        with self._own.work():
            self._state.measurements.flush()
            self._state.models.close_forwards(self._state.training.stepped())
            self._bus.tell(StepSeen())
            self._sampler.learn()
        if len(self._state.flow.created) > MOST_NODES:
            self._forget()
        self._budget.step(observed=True)
        if not self.early() and not self.every_step:
            self.deactivate()

    def _sample_next(self) -> None:
        """Close the sampled step, and decide whether the layers of the next one are measured."""
        sampler, clock = self._sampler, self._clock
        if sampler.on:
            sampler.end_step()
        if not clock.full:
            self._budget.sampling += sampler.seconds
        sampler.seconds = 0.0
        wanted = clock.full or clock.step < EARLY_SAMPLES or self._budget.allows_sampling()
        sampler.on = bool(sampler.layers) and wanted and not clock.stopped
