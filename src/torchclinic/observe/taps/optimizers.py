"""Optimizers as they are made, cleared and stepped."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from torchclinic.observe.events import StepBegins, StepEnds
from torchclinic.observe.taps.tap import Tap
from torchclinic.script.frames import forget_frames

_OPTIMIZER = torch.optim.Optimizer.profile_hook_step.__code__.co_filename


class OptimizerTap(Tap):
    def prepare(self) -> None:
        self._inside: list[int] = []  # optimizers whose step runs
        self._stepped: set[int] = set()  # optimizers that have stepped in this iteration

    def install(self, replace: Callable[..., None]) -> list[Any]:
        replace(nn.Module, "zero_grad", self._wrap_clear)
        replace(torch.optim.Optimizer, "zero_grad", self._wrap_clear)
        replace(torch.optim.Optimizer, "__init__", self._wrap_init)
        return [register_optimizer_step_pre_hook(self._before_step), register_optimizer_step_post_hook(self._after_step)]

    def _wrap_clear(self, original: Callable[..., Any]) -> Callable[..., Any]:
        clock, fast, own, training = self.clock, self.wiring.fast, self.own, self.state.training

        def zero_grad(owner: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                result = original(owner, *args, **kwargs)
            except BaseException as error:
                forget_frames(error)
                raise
            if fast.on and fast.cleared(owner):
                return result
            if not clock.stopped and clock.own_thread():
                with own.work() if clock.full else own.notes():
                    training.cleared(owner)
            return result

        zero_grad.__torchclinic__ = True  # type: ignore[attr-defined]  # it hides its own frame
        return zero_grad

    def _wrap_init(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __init__(optimizer: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            original(optimizer, *args, **kwargs)
            if not self.clock.stopped and self.clock.own_thread():
                with self.own.work():
                    self.state.training.optimizer(optimizer)
                self.wiring.schedule.optimizer_made()

        return __init__

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        clock, fast, sampler = self.clock, self.wiring.fast, self.wiring.sampler
        try:
            if fast.on and len(args) == 1 and not kwargs and fast.step_begins(optimizer):
                self.begins(optimizer)
                return
        except Exception as error:
            if not self.own.ends_here(error):
                raise
        if clock.stopped or not clock.own_thread():
            return
        self.begins(optimizer)
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        self._tell_begin(optimizer, closure is not None)
        if sampler.on and closure is None:
            sampler.before_step(optimizer)
        if closure is None and clock.full:
            clock.quiet = True

    def _tell_begin(self, optimizer: torch.optim.Optimizer, has_closure: bool) -> None:
        training, full = self.state.training, self.clock.full
        track = training.optimizers.get(id(optimizer))
        loads = training.loads - (track.loads if track is not None else 0)
        with self.own.work() if full or has_closure or loads else self.own.notes():
            track = training.optimizer(optimizer)
            track.loads = training.loads
            gradients = training.step_begins(track, has_closure)
            observed = full and not has_closure
            self.tell(StepBegins(optimizer, track, observed, loads, training.inside_step == 1, gradients))

    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        clock, fast, training = self.clock, self.wiring.fast, self.state.training
        try:
            if fast.on and training.inside_step == 1 and fast.step_ends(optimizer):
                self._ended(optimizer)
                if fast.due():
                    self.wiring.schedule.end_of_step()
                return
        except Exception as error:
            if not self.own.ends_here(error):
                raise
        if clock.stopped or not clock.own_thread():
            return
        clock.quiet = False
        if self.wiring.sampler.on:
            self.wiring.sampler.after_step(optimizer)
        with self.own.work() if clock.full else self.own.notes():
            track = training.optimizer(optimizer)
            self.tell(StepEnds(optimizer, track, clock.full, *training.kept(track)))
            training.step_ended(track)
        if not self._ended(optimizer):
            self.wiring.schedule.end_of_step()

    def begins(self, optimizer: torch.optim.Optimizer) -> None:
        key = id(optimizer)
        if key in self._inside and self._inside.count(key) >= _running(optimizer):  # its last step raised
            del self._inside[self._inside.index(key) :]
            self.clock.quiet = False
        self._inside.append(key)
        self.state.training.inside_step = len(self._inside)

    def _ended(self, optimizer: torch.optim.Optimizer) -> int:
        """How many steps still run around the one that has ended; where none does, it is counted."""
        while id(optimizer) in self._inside and self._inside.pop() != id(optimizer):
            pass
        self.state.training.inside_step = len(self._inside)
        if not self._inside:
            self._count(optimizer)
        return len(self._inside)

    def _count(self, optimizer: torch.optim.Optimizer) -> None:
        """A step of one of several optimizers; a new iteration begins when one steps again."""
        clock = self.clock
        clock.steps_total += 1
        if id(optimizer) in self._stepped or not self._stepped:
            self._stepped.clear()
            clock.step += 1
        self._stepped.add(id(optimizer))


def _running(optimizer: torch.optim.Optimizer) -> int:
    """How many steps of it are being called: more than one where a class of the user's calls that of its base."""
    frame: FrameType | None = sys._getframe(1)
    number = 0
    while frame is not None:
        own = frame.f_code.co_name == "wrapper" and frame.f_code.co_filename == _OPTIMIZER
        number += own and frame.f_locals.get("self") is optimizer
        frame = frame.f_back
    return number
