"""An observation of everything torch does in this process, from outside: nothing of the user's is changed.

The first steps are observed in full; later ones on a widening schedule, when a model changes its phase, and only as far
as the budget allows. In between, a backward pass and a step cost a few Python calls.
"""

import os
import threading
import warnings
import weakref
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import dataloader

from torchclinic.observe.backward import BackwardWatch
from torchclinic.observe.budget import Budget
from torchclinic.observe.chains import find_cuts, find_retained
from torchclinic.observe.dataflow import CallMode, Dataflow
from torchclinic.observe.facts import Measurements
from torchclinic.observe.frames import forget_doubles, wrap_warn
from torchclinic.observe.held_out import HeldOutWatch
from torchclinic.observe.labels import LabelWatch
from torchclinic.observe.modules import ModuleWatch
from torchclinic.observe.numerics import Numerics
from torchclinic.observe.operations import OperationWatch
from torchclinic.observe.origins import Origins
from torchclinic.observe.own import Own, StopRun, Witness
from torchclinic.observe.patches import Patches
from torchclinic.observe.probing import Probing
from torchclinic.observe.ranks import RankWatch
from torchclinic.observe.records import RunRecord
from torchclinic.observe.replicas import ReplicaWatch
from torchclinic.observe.state import StateWatch
from torchclinic.observe.statistics import StatisticsWatch
from torchclinic.observe.stepping import EARLY_BACKWARDS, EARLY_STEPS, StepWatch
from torchclinic.observe.tracks import refresh
from torchclinic.observe.training import TrainingWatch
from torchclinic.observe.updates import UpdateWatch
from torchclinic.observe.workers import WorkerWatch

FIRST_CALLS = 20_000  # of torch functions that a witness is shown before the first model; some 0.1 s
EARLY_SAMPLES = 40  # steps in which the layers are measured whatever the budget
MOST_BACKWARDS = 5000  # however many optimizers are made
MOST_NODES = 20_000
MOST_RECORDS = 2_000
EVALUATIONS = 4  # phases of evaluation that are looked at whatever the budget
EVALUATION_FORWARDS = 3  # forwards that are observed in each

_current: "weakref.ref[Session] | None" = None


def _same(name: str, _: Callable[..., Any]) -> Callable[..., Any]:
    """The function that `torch.nn.utils` exports again."""
    function: Callable[..., Any] = vars(nn.utils.clip_grad)[name]
    return function


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
        self.on_step: Callable[[Session], None] | None = None
        self.wants_stop: Callable[[Session], bool] = lambda session: (
            bool(max_steps) and session.step >= (max_steps or 0)
        )
        self.flow = Dataflow()
        self.origins = Origins()
        self.measurements = Measurements()
        self.modules = ModuleWatch(self)
        self.training = TrainingWatch(self)
        self.backward = BackwardWatch(self)
        self.stepping = StepWatch(self)
        self.operations = OperationWatch(self)
        self.numerics = Numerics(self)
        self.state = StateWatch(self)
        self.probing = Probing(self)
        self.witness: Witness | None = None
        self._first_calls = 0
        self.missed = ""  # why the witness did not see what happened last, if so
        self.statistics = StatisticsWatch(self)
        self.labels = LabelWatch(self)
        self.updates = UpdateWatch(self)
        self.held_out = HeldOutWatch(self)
        self.workers = WorkerWatch(self)
        self.ranks = RankWatch(self)
        self.replicas = ReplicaWatch(self)
        self.active = False  # observing in full right now
        self.waiting = True  # for the first model, optimizer or backward
        self.quiet = False  # inside our own work
        self.step = 0
        self.steps_total = 0  # of all optimizers
        self.early_until = EARLY_STEPS
        self.early_backwards = EARLY_BACKWARDS
        self.seen_operations: list[tuple[str, str, str]] = []  # name, line, module of the last observed step
        self.compiled = False
        self.every_step = False  # observe all steps in full, whatever it costs
        self.evaluating = 0
        self._evaluation_forwards = 0
        self._patches = Patches()
        self._handles: list[Any] = []
        self._mode = CallMode(self.operations.watch)
        self._mode_on = False
        self._thread = threading.get_ident()
        self._pid = os.getpid()
        self.dead = False
        self._window_first = 0

    # -- entering and leaving ---------------------------------------------------------------------------------------

    def __enter__(self) -> "Session":
        global _current
        assert _current is None or _current() is None, "one observation at a time"
        _current = weakref.ref(self)
        self.budget.start()
        self._install()
        if self.witness is not None:
            self._watch_calls()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._first_calls > FIRST_CALLS and not self.step:
            self.missed = f"of the calls before the first model the first {FIRST_CALLS:,} were observed"
        elif self.dead or not (self.active or self.waiting):
            self.missed = f"step {self.step} was not observed in full"
        self.close()

    def suspend(self) -> None:
        """Leave torch as it was for a while; `resume` goes on."""
        self.deactivate(final=True)
        self._uninstall()

    def resume(self) -> None:
        """Observe from here on."""
        self.budget.resume()
        self._install()

    def close(self) -> None:
        """Take everything back. Idempotent."""
        global _current
        self.deactivate(final=True)
        self._uninstall()
        if _current is not None and _current() is self:
            _current = None
        self.budget.stop()
        self.workers.close()
        with self.own():
            self.replicas.close()

    def _uninstall(self) -> None:
        self._patches.undo()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        forget_doubles()

    def leave_child(self) -> None:
        """In a forked child: become inert."""
        self.dead = True
        self.active = self.waiting = self.statistics.on = False

    def _install(self) -> None:
        replace = self._patches.replace
        optim = torch.optim
        replace(nn.Module, "__call__", self.modules.wrap_call)
        replace(torch.autograd, "backward", self.backward.wrap_backward)
        replace(torch.autograd, "grad", self.backward.wrap_grad)
        replace(warnings, "warn", wrap_warn)
        for name in [name for name, value in vars(nn.init).items() if name.endswith("_") and callable(value)]:
            replace(nn.init, name, self.origins.wrap_initializer)
        replace(nn.Module, "__init__", self.origins.wrap_init)
        replace(dataloader.DataLoader, "__init__", self.origins.wrap_init)
        replace(nn.Module, "zero_grad", self.stepping.wrap_clear)
        replace(nn.Module, "state_dict", self.state.wrap_state_dict)
        replace(nn.Module, "load_state_dict", self.state.wrap_load)
        replace(optim.Optimizer, "zero_grad", self.stepping.wrap_clear)
        replace(optim.Optimizer, "__init__", self.stepping.wrap_init)
        schedulers = vars(optim.lr_scheduler).values()
        for scheduler in {c for c in schedulers if isinstance(c, type) and "step" in vars(c)}:
            if scheduler is not optim.Optimizer:
                replace(scheduler, "step", self.state.wrap_schedule)
        replace(dataloader.DataLoader, "__iter__", self.state.wrap_loader_iter)
        replace(dataloader._BaseDataLoaderIter, "__next__", self.state.wrap_loader_next)
        replace(torch.utils.data._utils.worker, "_worker_loop", self.workers.wrap_loop)
        replace(nn.parallel.DistributedDataParallel, "__init__", self.ranks.wrap_init)
        if torch.distributed.is_available():
            replace(torch.distributed, "destroy_process_group", self.replicas.wrap_destroy)
        replace(torch, "save", self.state.wrap_save)
        replace(torch, "compile", self._wrap_compile)
        for name in ("trace", "trace_module"):
            replace(torch.jit, name, self._wrap_trace)
        for name in ("clip_grad_norm_", "clip_grad_value_"):
            replace(nn.utils.clip_grad, name, self.state.wrap_clip)
            replace(nn.utils, name, partial(_same, name))
        replace(torch.amp.GradScaler, "scale", self.state.wrap_scale)
        replace(torch.amp.GradScaler, "unscale_", self.state.wrap_unscale)
        replace(torch.amp.GradScaler, "step", self.state.wrap_scaler_step)
        self._handles = [
            register_optimizer_step_pre_hook(self.stepping.before_step),
            register_optimizer_step_post_hook(self.stepping.after_step),
        ]

    def own(self) -> Own:
        return Own(self)

    def give_up(self, error: Exception) -> None:
        """An error of ours: stop observing, say so, leave the script alone."""
        if not self.dead:
            self.run.limits.append(f"observing stopped at step {self.step}: {type(error).__name__}: {error}")
        self.dead = True
        self.active = self.waiting = self.statistics.on = False

    # -- what the parts ask -----------------------------------------------------------------------------------------

    def observing(self) -> bool:
        return self.active

    def recording(self) -> bool:
        return not self.dead and not self.quiet

    def listening(self) -> bool:
        return self.active and not self.quiet and not self.dead and not self.flow.full() and self.on_own_thread()

    def witnessing(self) -> bool:
        """Where nothing else is noted: before the first model, and inside an optimizer's step."""
        if self.dead or not self.on_own_thread():
            return False
        self._first_calls += self.waiting
        self._mode.asleep = self.waiting and self._first_calls > FIRST_CALLS
        return self.waiting or (self.active and self.training.inside_step > 0)

    def on_own_thread(self) -> bool:
        return threading.get_ident() == self._thread

    def clock(self) -> int:
        return self.steps_total

    def step_seen(self, model: Any) -> bool:
        """The structure of a model is read again in each window."""
        return self.step == self._window_first

    # -- windows ----------------------------------------------------------------------------------------------------

    def activate(self) -> None:
        if self.active or self.dead or self.compiled or not self.on_own_thread():
            return
        self.waiting = False
        self.active = True
        self._window_first = self.step
        self._watch_calls()

    def _watch_calls(self) -> None:
        self._mode.asleep = False
        if not self._mode_on:
            self._mode.__enter__()  # type: ignore[no-untyped-call]
            self._mode_on = True

    def deactivate(self, final: bool = False) -> None:
        if not self._mode_on or os.getpid() != self._pid:
            self.active = False
            return
        if not final and not self._mode.on_top():
            return  # the user's own mode lies above; try again after the next step
        with self.own():
            self.measurements.flush()
            self.operations.end_window()
            self._close_forwards()
            find_cuts(self)
            find_retained(self)
            for track in self.training.parameters.values():
                refresh(track)
        self.seen_operations = [(n.op, n.line, n.where) for n in self.flow.created[-3000:] if n.op]
        self.active = False
        if self._mode.on_top():
            self._mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self._mode_on = False
        self.flow.clear()
        self.modules.outputs.clear()
        self.modules.module_outputs.clear()

    def model_called(self, module: nn.Module) -> None:
        """A model is called while nothing is observed: start, or look at a new phase."""
        if self.dead or not self.on_own_thread() or self.modules.stack:
            return
        if self.waiting:
            if next(module.parameters(), None) is not None:
                self.activate()
            return
        evaluating = not torch.is_grad_enabled()
        if evaluating:
            self._count_evaluation()
            later = self.evaluating & (self.evaluating - 1) == 0 and self.budget.allows()
            if self._evaluation_forwards <= EVALUATION_FORWARDS and (self.evaluating <= EVALUATIONS or later):
                self.activate()
        elif self._early():
            self.activate()

    def model_begins(self) -> None:
        """A model is called while everything is observed: a long evaluation is not followed to its end."""
        if torch.is_grad_enabled():
            return
        self._count_evaluation()
        if self._evaluation_forwards > EVALUATION_FORWARDS and not self.modules.pending:
            self.deactivate()

    def _count_evaluation(self) -> None:
        if self._evaluation_forwards == 0:
            self.evaluating += 1
        self._evaluation_forwards += 1

    def _early(self) -> bool:
        few = self.training.backwards < self.early_backwards
        return self.step < self.early_until and (few or self.step < 3) and self.training.backwards < MOST_BACKWARDS

    def end_of_step(self) -> None:
        """After an optimizer's step: decide whether the next one is observed."""
        self._evaluation_forwards = 0
        if self.active:
            self.run.observed_steps += 1
            with self.own():
                self.measurements.flush()
                self.operations.end_window()
                self._close_forwards()
                self.statistics.learn()
            self._trim()
            self.budget.step(observed=True)
            if not self._early() and not self.every_step:
                self.deactivate()
        else:
            self.budget.step(observed=False)
            if self.every_step or self.budget.due(self.step):
                self.activate()
        self._sample_next()
        if self.on_step is not None:
            with self.own():
                self.on_step(self)
        if self.wants_stop(self):
            raise StopRun

    def _sample_next(self) -> None:
        """Close the sampled step, and decide whether the layers of the next one are measured."""
        statistics = self.statistics
        if statistics.on:
            statistics.end_step()
        if not self.active:
            self.budget.sampling += statistics.seconds
        statistics.seconds = 0.0
        wanted = self.active or self.step < EARLY_SAMPLES or self.budget.allows_sampling()
        statistics.on = bool(statistics.layers) and wanted

    def _trim(self) -> None:
        """Bound what a long observation holds: chains of operations start anew, of old records the first are kept."""
        if len(self.flow.created) > MOST_NODES:
            self.flow.clear()
            self.modules.outputs.clear()
            self.modules.module_outputs.clear()
        for records in (self.training.steps, self.training.backward_passes):
            if len(records) > MOST_RECORDS:
                del records[MOST_RECORDS // 2 : -MOST_RECORDS // 4]

    def _close_forwards(self) -> None:
        owned = {i for t in self.training.optimizers.values() if t.steps for i in map(id, t.parameters())}
        for forward, nodes, model in self.modules.outputs.values():
            forward.feeds_backward = forward.feeds_backward or any(node.used for node in nodes)
            forward.trained = forward.trained or not owned.isdisjoint(model.parameter_names)
        if len(self.modules.forwards) > 2000:
            del self.modules.forwards[500:1500]

    def _wrap_trace(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The tracer names values after the frames it sees and runs the module twice: ours must not be among them."""

        def trace(*args: Any, **kwargs: Any) -> Any:
            if self.dead or not self.on_own_thread():
                return original(*args, **kwargs)
            seeing = self._mode_on
            self.deactivate(final=True)
            self.dead = True
            try:
                return original(*args, **kwargs)
            finally:
                self.dead = False
                if seeing:
                    self._watch_calls()

        return trace

    def _wrap_compile(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compile_(*args: Any, **kwargs: Any) -> Any:
            if not self.dead:
                self.compiled = True
                self.deactivate(final=True)
                self._patches.undo_one(nn.Module, "__call__")
                self.run.limits.append("torch.compile is used: operations and modules inside were not observed")
            return original(*args, **kwargs)

        return compile_
