"""An observation of everything torch does in this process, from outside: nothing of the user's is changed.

The first steps are observed in full; later ones on a widening schedule, when a model changes its phase, and only as far
as the budget allows. In between, a backward pass and a step cost a few Python calls.
"""

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

from torchclinic.observe.backward import BackwardWatch
from torchclinic.observe.batches import BatchWatch
from torchclinic.observe.between import Between
from torchclinic.observe.checkpoints import CheckpointWatch
from torchclinic.observe.clamps import ClampWatch
from torchclinic.observe.class_weights import ClassWeightWatch
from torchclinic.observe.compiling import CompileWatch
from torchclinic.observe.depth.budget import Budget
from torchclinic.observe.discarded import DiscardWatch
from torchclinic.observe.draws import DrawWatch
from torchclinic.observe.handmade import HandmadeLosses
from torchclinic.observe.held_out import HeldOutWatch
from torchclinic.observe.input_scales import InputScales
from torchclinic.observe.installation import install
from torchclinic.observe.labels import LabelWatch
from torchclinic.observe.loaders import LoaderWatch
from torchclinic.observe.losses import LossWatch
from torchclinic.observe.memory import MemoryWatch
from torchclinic.observe.modules import ModuleWatch
from torchclinic.observe.numerics import Numerics
from torchclinic.observe.operations import OperationWatch
from torchclinic.observe.own import Lightly, Own, Ungraded, Witness, transforming, unwatched
from torchclinic.observe.padding import PaddingWatch
from torchclinic.observe.probing import Probing
from torchclinic.observe.ranks import RankWatch
from torchclinic.observe.records import RunRecord
from torchclinic.observe.replicas import ReplicaWatch
from torchclinic.observe.scaling import ScaleWatch
from torchclinic.observe.schedules import ScheduleWatch
from torchclinic.observe.state.dataflow import Dataflow
from torchclinic.observe.state.measurements import Measurements
from torchclinic.observe.state.origins import Origins
from torchclinic.observe.statistics.sampler import StatisticsWatch
from torchclinic.observe.stepping import StepWatch
from torchclinic.observe.taps.patches import Patches
from torchclinic.observe.target_networks import TargetNetworkWatch
from torchclinic.observe.target_scales import ScaleOfTargets
from torchclinic.observe.training import TrainingWatch
from torchclinic.observe.unmeasured import UnmeasuredWatch
from torchclinic.observe.updates import UpdateWatch
from torchclinic.observe.windows import Windows
from torchclinic.observe.workers import WorkerWatch
from torchclinic.script.frames import forget_doubles

FIRST_CALLS = 20_000  # of torch functions that a witness is shown before the first model; some 0.1 s
TRANSFORMED = "torch.func transforms (vmap, grad) are used: what happens inside them was not observed"

_current: "weakref.ref[Session] | None" = None


def _after_fork() -> None:
    session = _current() if _current is not None else None
    if session is not None:
        session.leave_child()


os.register_at_fork(after_in_child=_after_fork)


class Session:
    """Context manager; `record()` gives what was seen. One session at a time."""

    def __init__(self, *, budget: float = 0.05, max_steps: int | None = None) -> None:
        self.run = RunRecord()
        self.budget = Budget(budget)
        self.on_step: Callable[[Session], None] | None = None  # called after each step, or after some 20 ms of them
        self.wants_stop: Callable[[Session], bool] | None = None
        if max_steps:
            self.wants_stop = lambda session: session.step >= max_steps
        self.flow = Dataflow()
        self.origins = Origins()
        self.measurements = Measurements()
        self.between = Between(self)
        self.modules = ModuleWatch(self)
        self.batches = BatchWatch(self)
        self.training = TrainingWatch(self)
        self.backward = BackwardWatch(self)
        self.stepping = StepWatch(self)
        self.operations = OperationWatch(self)
        self.losses = LossWatch(self)
        self.handmade = HandmadeLosses(self)
        self.memory = MemoryWatch(self)
        self.numerics = Numerics(self)
        self.checkpoints = CheckpointWatch(self)
        self.loaders = LoaderWatch(self)
        self.schedules = ScheduleWatch(self)
        self.scaling = ScaleWatch(self)
        self.probing = Probing(self)
        self.witness: Witness | None = None
        self._first_calls = 0
        self.missed = ""  # why the witness did not see what happened last, if so
        self.statistics = StatisticsWatch(self)
        self.labels = LabelWatch(self)
        self.class_weights = ClassWeightWatch(self)
        self.target_networks = TargetNetworkWatch(self)
        self.draws = DrawWatch(self)
        self.discarded = DiscardWatch(self)
        self.target_scales = ScaleOfTargets(self)
        self.updates = UpdateWatch(self)
        self.clamps = ClampWatch(self)
        self.unmeasured = UnmeasuredWatch(self)
        self.held_out = HeldOutWatch(self)
        self.input_scales = InputScales(self)
        self.padding = PaddingWatch(self)
        self.workers = WorkerWatch(self)
        self.ranks = RankWatch(self)
        self.replicas = ReplicaWatch(self)
        self.active = False  # observing in full right now
        self.waiting = True  # for the first model, optimizer or backward
        self.quiet = False  # inside our own work
        self.step = 0
        self.steps_total = 0  # of all optimizers
        self.seen_operations: list[tuple[str, str, str]] = []  # name, line, module of the last observed step
        self.compiled = False
        self.every_step = False  # observe all steps in full, whatever it costs
        self.evaluating = 0
        self.patches = Patches()
        self.compiling = CompileWatch(self)
        self.windows = Windows(self)
        self._handles: list[Any] = []
        self._light = Lightly(self)
        self._ungraded = Ungraded(self)
        self._thread = threading.get_ident()
        self.dead = False

    # -- entering and leaving ---------------------------------------------------------------------------------------

    def __enter__(self) -> "Session":
        global _current
        assert _current is None or _current() is None, "one observation at a time"
        _current = weakref.ref(self)
        self.budget.start()
        self._handles = install(self)
        if self.witness is not None:
            self.windows.watch_calls()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._first_calls > FIRST_CALLS and not self.step:
            self.missed = f"of the calls before the first model the first {FIRST_CALLS:,} were observed"
        elif self.dead or not (self.active or self.waiting):
            self.missed = f"step {self.step} was not observed in full"
        self.run.finished = error is None or (isinstance(error, SystemExit) and not error.code)
        self.close()

    def suspend(self) -> None:
        """Leave torch as it was for a while; `resume` goes on."""
        self.windows.deactivate(final=True)
        self._uninstall()

    def resume(self) -> None:
        """Observe from here on."""
        self.budget.resume()
        self._handles = install(self)

    def close(self) -> None:
        """Take everything back. Idempotent."""
        global _current
        self.windows.deactivate(final=True)
        self._uninstall()
        if _current is not None and _current() is self:
            _current = None
        self.budget.stop()
        self.workers.close()
        with self.own():
            self.replicas.close()

    def _uninstall(self) -> None:
        self.patches.undo()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        forget_doubles()

    def leave_child(self) -> None:
        """In a forked child: become inert."""
        self.dead = True
        self.active = self.waiting = self.statistics.on = False
        self.between.end()

    def own(self) -> Own:
        return Own(self)

    def lightly(self) -> "Lightly | Own":
        """The same for work in between, which calls hardly an operation."""
        return self._light if unwatched() else Own(self)

    def give_up(self, error: Exception) -> None:
        """An error of ours: stop observing, say so, leave the script alone."""
        if not self.dead:
            self.run.limits.append(f"observing stopped at step {self.step}: {type(error).__name__}: {error}")
        self.dead = True
        self.active = self.waiting = self.statistics.on = False
        self.between.end()

    def ungraded(self) -> "Ungraded | Own":
        """The same for operations of ours in between."""
        return self._ungraded if unwatched() else Own(self)

    # -- what the parts ask -----------------------------------------------------------------------------------------

    def observing(self) -> bool:
        return self.active

    def recording(self) -> bool:
        return not self.dead and not self.quiet

    def listening(self) -> bool:
        ready = self.active and not self.quiet and not self.dead and not self.flow.full() and self.on_own_thread()
        return ready and not self.transformed()

    def transformed(self) -> bool:
        """Whether a transform of torch.func runs: what happens in it is not observed, and that is said."""
        inside = transforming()
        if inside and TRANSFORMED not in self.run.limits:
            self.run.limits.append(TRANSFORMED)
        return inside

    def witnessing(self) -> bool:
        """Where nothing else is noted: before the first model, and inside an optimizer's step."""
        if self.dead or not self.on_own_thread():
            return False
        self._first_calls += self.waiting
        self.windows.mode.asleep = self.waiting and self._first_calls > FIRST_CALLS
        return self.waiting or (self.active and self.training.inside_step > 0)

    def on_own_thread(self) -> bool:
        return threading.get_ident() == self._thread

    def clock(self) -> int:
        return self.steps_total
