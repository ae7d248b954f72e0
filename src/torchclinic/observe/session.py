"""An observation of everything torch does in this process, from outside: nothing of the user's is changed.

The first steps are observed in full; later ones on a widening schedule, when a model changes its phase, and only as far
as the budget allows. In between, a backward pass and a step cost a few Python calls.
"""

import os
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

from torchclinic.observe.bus import Bus
from torchclinic.observe.depth.between import Between
from torchclinic.observe.depth.budget import Budget
from torchclinic.observe.depth.schedule import Schedule
from torchclinic.observe.events import ObservationEnds
from torchclinic.observe.own import Own, StopRun
from torchclinic.observe.registry import discover, taps
from torchclinic.observe.state.clock import FIRST_CALLS, Depth
from torchclinic.observe.state.state import State
from torchclinic.observe.statistics.sampler import Sampler
from torchclinic.observe.taps.calls import CallMode
from torchclinic.observe.taps.patches import Patches
from torchclinic.observe.taps.tap import Wiring
from torchclinic.script.frames import forget_doubles

_current: "weakref.ref[Session] | None" = None


def _after_fork() -> None:
    session = _current() if _current is not None else None
    if session is not None:
        session.schedule.stop()


os.register_at_fork(after_in_child=_after_fork)


class Session:
    """Context manager; `collect(session)` gives what was seen. One session at a time."""

    def __init__(self, *, budget: float = 0.05, max_steps: int | None = None) -> None:
        self.state = State()
        self.budget = Budget(budget)
        self.on_step: Callable[[Session], None] | None = None  # called after each step, or after some 20 ms of them
        self.wants_stop: Callable[[Session], bool] | None = None
        if max_steps:
            self.wants_stop = lambda session: session.state.clock.step >= max_steps
        self.own = Own(self.give_up)
        self.bus = Bus()
        self.sampler = Sampler(self.state, self.own)
        between = Between(self.state, self.bus, self.budget, self.sampler)
        mode = CallMode()
        self.schedule = Schedule(self.state, self.bus, self.own, self.budget, between, self.sampler, mode)
        self.schedule.after_step = self._after_step
        self.collectors = [kind(self.state, self.bus.tell) for kind in discover()]
        self.bus.connect(self.collectors)
        self.wiring = Wiring(self.state, self.bus, self.own, Patches(), mode, self.schedule, between, self.sampler)
        self.taps = [kind(self.wiring) for kind in taps()]
        self.finished = False  # the script ran to its own end
        self.missed = ""  # why the witness did not see what happened last, if so
        self._handles: list[Any] = []

    # -- entering and leaving ---------------------------------------------------------------------------------------

    def __enter__(self) -> "Session":
        global _current
        assert _current is None or _current() is None, "one observation at a time"
        _current = weakref.ref(self)
        self.budget.start()
        self._install()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        clock = self.state.clock
        if clock.early_calls > FIRST_CALLS and not clock.step:
            self.missed = f"of the calls before the first model the first {FIRST_CALLS:,} were observed"
        elif not (clock.full or clock.waiting):
            self.missed = f"step {clock.step} was not observed in full"
        self.finished = error is None or (isinstance(error, SystemExit) and not error.code)
        self.close()

    def _install(self) -> None:
        self.schedule.stops = self.wants_stop is not None
        for tap in self.taps:
            self._handles += tap.install(self.wiring.patches.replace)

    def suspend(self) -> None:
        """Leave torch as it was for a while; `resume` goes on."""
        self.schedule.deactivate(final=True)
        self._uninstall()

    def resume(self) -> None:
        """Observe from here on."""
        self.budget.resume()
        self._install()

    def close(self) -> None:
        """Take everything back. Idempotent."""
        global _current
        self.schedule.deactivate(final=True)
        self._uninstall()
        if _current is not None and _current() is self:
            _current = None
        self.budget.stop()
        for tap in self.taps:
            tap.close()
        self.state.purposes.settle(ended=self.finished)
        with self.own.work():
            self.bus.tell(ObservationEnds())

    def _uninstall(self) -> None:
        self.wiring.patches.undo()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        forget_doubles()

    def give_up(self, error: Exception) -> None:
        """An error of ours: stop observing, say so, leave the script alone."""
        clock = self.state.clock
        if clock.depth is not Depth.STOPPED:
            self.state.limited(f"observing stopped at step {clock.step}: {type(error).__name__}: {error}")
        self.schedule.stop()

    def _after_step(self) -> None:
        if self.on_step is not None:
            with self.own.work():
                self.on_step(self)
        if self.wants_stop is not None and self.wants_stop(self):
            raise StopRun

    # -- what is asked of it ----------------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        return self.state.clock.step
