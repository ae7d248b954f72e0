"""Optimizers as they are made, cleared and stepped."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch

from torchclinic.observe.own import ends_here
from torchclinic.script.frames import forget_frames

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

_OPTIMIZER = torch.optim.Optimizer.profile_hook_step.__code__.co_filename
EARLY_STEPS = 10  # observed in full after an optimizer is made
EARLY_BACKWARDS = 60


class StepWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self._inside: list[int] = []  # optimizers whose step runs
        self._stepped: set[int] = set()  # optimizers that have stepped in this iteration

    def wrap_clear(self, original: Callable[..., Any]) -> Callable[..., Any]:
        session, between = self.session, self.session.between

        def zero_grad(owner: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                result = original(owner, *args, **kwargs)
            except BaseException as error:
                forget_frames(error)
                raise
            if between.on and between.cleared(owner):
                return result
            if not session.dead and session.on_own_thread():
                with session.own() if session.active else session.lightly():
                    session.training.cleared(owner)
            return result

        zero_grad.__torchclinic__ = True  # type: ignore[attr-defined]  # it hides its own frame
        return zero_grad

    def wrap_init(self, original: Callable[..., Any]) -> Callable[..., Any]:
        session = self.session

        def __init__(optimizer: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            original(optimizer, *args, **kwargs)
            if not session.dead and session.on_own_thread():
                with session.own():
                    session.training.optimizer(optimizer)
                if session.steps_total:  # a new phase of training: its first steps are looked at as well
                    session.windows.early_until = session.step + EARLY_STEPS
                    session.windows.early_backwards = session.training.backwards + EARLY_BACKWARDS
                session.windows.activate()

        return __init__

    def before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        session, between = self.session, self.session.between
        try:
            if between.on and len(args) == 1 and not kwargs and between.step_begins(optimizer):
                return
        except Exception as error:
            if not ends_here(session, error):
                raise
        if session.dead or not session.on_own_thread():
            return
        self.begins(optimizer)
        if session.checkpoints.loaded_waits(id(optimizer)):
            with session.own():
                session.checkpoints.compare_loaded(optimizer)
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        with session.own() if session.active or closure is not None else session.lightly():
            session.training.before_step(optimizer, closure is not None)
            if session.training.inside_step == 1:
                session.replicas.before_step(session.training.optimizer(optimizer))
        if session.statistics.on and closure is None:
            session.statistics.before_step(optimizer)
        if closure is None and session.active:
            session.quiet = True

    def after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        session, between = self.session, self.session.between
        try:
            if between.on and between.step_ends(optimizer):
                return
        except Exception as error:
            if not ends_here(session, error):
                raise
        if session.dead or not session.on_own_thread():
            return
        session.quiet = False
        if session.statistics.on:
            session.statistics.after_step(optimizer)
        with session.own() if session.active else session.lightly():
            session.updates.stepped(optimizer, *session.training.snapshot(optimizer))
            session.training.after_step(optimizer)
        self.ends(optimizer)
        if session.training.inside_step:
            return
        if session.labels.waits():
            with session.own():
                session.labels.stepped()
        self.count(optimizer)
        session.windows.end_of_step()

    def begins(self, optimizer: torch.optim.Optimizer) -> None:
        key = id(optimizer)
        if key in self._inside and self._inside.count(key) >= _running(optimizer):  # its last step raised
            del self._inside[self._inside.index(key) :]
            self.session.quiet = False
        self._inside.append(key)
        self.session.training.inside_step = len(self._inside)

    def ends(self, optimizer: torch.optim.Optimizer) -> None:
        while id(optimizer) in self._inside and self._inside.pop() != id(optimizer):
            pass
        self.session.training.inside_step = len(self._inside)

    def count(self, optimizer: torch.optim.Optimizer) -> None:
        """A step of one of several optimizers; a new iteration begins when one steps again."""
        session = self.session
        session.steps_total += 1
        if id(optimizer) in self._stepped or not self._stepped:
            self._stepped.clear()
            session.step += 1
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
