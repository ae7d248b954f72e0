"""Optimizers as they are made, cleared and stepped."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from torchclinic.observe.frames import forget_frames
from torchclinic.observe.own import ends_here

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

EARLY_STEPS = 10  # observed in full after an optimizer is made
EARLY_BACKWARDS = 60


class StepWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
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
        session.training.inside_step += 1
        if session.checkpoints.loaded_waits():
            with session.own():
                session.checkpoints.compare_loaded({id(p) for group in optimizer.param_groups for p in group["params"]})
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
        session.training.inside_step -= 1
        if session.training.inside_step:
            return
        if session.labels.waits():
            with session.own():
                session.labels.stepped()
        self.count(optimizer)
        session.windows.end_of_step()

    def count(self, optimizer: torch.optim.Optimizer) -> None:
        """A step of one of several optimizers; a new iteration begins when one steps again."""
        session = self.session
        session.steps_total += 1
        if id(optimizer) in self._stepped or not self._stepped:
            self._stepped.clear()
            session.step += 1
        self._stepped.add(id(optimizer))
