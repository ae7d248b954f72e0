"""Runs a training under a change, and measures it from outside: losses, scores, evaluations, time."""

import math
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.overrides import TorchFunctionMode

from torchclinic.observe.state.tracks import graph_leaves
from torchclinic.observe.taps.patches import Patches
from torchclinic.replay.change import Change
from torchclinic.replay.origins import WATCHED, Origins
from torchclinic.replay.scores import LOSSES
from torchclinic.replay.scoring import Scoring
from torchclinic.replay.trial import Trial
from torchclinic.vocabulary import plain_name


class Enough(BaseException):
    """Raised inside the training when enough was seen."""


class Bench:
    """Context manager. Stops the training by `Enough`, or by `on_stop` where that is given and does not return.

    `most_backwards`: stop after so many backward passes, `seconds`: after so much time; `until_evaluation`: not before
    something was evaluated without gradients.
    """

    def __init__(
        self,
        change: Change,
        *,
        most_backwards: int | None = None,
        seconds: float = math.inf,
        until_evaluation: bool = False,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        self.change = change
        self.trial = Trial(change.name)
        self.origins = Origins()
        self.scoring = Scoring(self.origins)
        self.steps = 0
        self._limits = most_backwards or math.inf, seconds, until_evaluation
        self._on_stop = on_stop
        self._optimizers: dict[int, Any] = {}
        self._steps_of: dict[int, int] = {}
        self._patches = Patches()
        self._handles: list[Any] = []
        self._mode = _Calls(self)
        self._depth = 0
        self._busy = False
        self._place = os.getpid(), threading.get_ident()

    # -- what changes ask -------------------------------------------------------------------------------------------

    def owned(self) -> list[Tensor]:
        """The parameters of all optimizers, once each."""
        groups = (group for optimizer in self._optimizers.values() for group in optimizer.param_groups)
        return list({id(p): p for group in groups for p in group["params"]}.values())

    def stepping(self) -> int:
        """How many optimizers step."""
        return len(self._steps_of)

    def leaves(self, root: Tensor) -> list[Tensor]:
        """The leaves that a backward pass from `root` reaches and that are no data."""
        return [leaf for leaf in graph_leaves(root) if leaf.requires_grad and id(leaf) not in self._inputs]

    def in_model(self) -> bool:
        return self._depth > 0

    # -- entering and leaving ---------------------------------------------------------------------------------------

    def __enter__(self) -> "Bench":
        self._start = time.perf_counter()
        self._inputs: set[int] = set()
        self.change.attach(self)
        replace = self._patches.replace
        replace(torch.autograd, "backward", self._wrap_backward)
        replace(torch.autograd, "grad", self._wrap_grad)
        replace(nn.Module, "__call__", self._wrap_call)
        replace(nn.Module, "zero_grad", self._wrap_clear)
        replace(torch.optim.Optimizer, "zero_grad", self._wrap_clear)
        replace(torch.optim.Optimizer, "__init__", self._wrap_init)
        replace(torch, "compile", lambda original: _leave_uncompiled)
        self._handles = [register_optimizer_step_pre_hook(self._before_step), register_optimizer_step_post_hook(self._after_step)]
        self._mode.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        self._patches.undo()
        for handle in self._handles:
            handle.remove()
        self.close()

    def close(self) -> None:
        """Complete the trial."""
        trial = self.trial
        trial.steps, trial.acted = self.steps, self.change.acted
        trial.seconds = time.perf_counter() - self._start
        trial.evaluation_kind, trial.evaluation = self.scoring.evaluation()

    def adopt(self, optimizer: Any) -> None:
        """Know an optimizer that existed before."""
        self._optimizers[id(optimizer)] = optimizer

    def _outside(self) -> bool:
        return self._busy or (os.getpid(), threading.get_ident()) != self._place

    # -- the clock --------------------------------------------------------------------------------------------------

    def _wrap_backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            root = tensors if isinstance(tensors, Tensor) else next(iter(tensors), None)
            if self._outside() or not isinstance(root, Tensor):
                return original(tensors, *args, **kwargs)
            self._begin(root)
            self._busy = True
            try:
                result = original(tensors, *args, **kwargs)
            finally:
                self._busy = False
            self.change.after_backward()
            self.origins.forget()
            return result

        return backward

    def _wrap_grad(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Gradients asked for by hand are the backward pass of a loop without an optimizer."""

        def grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            by_hand = not self._outside() and not self._optimizers and isinstance(outputs, Tensor)
            if by_hand and isinstance(inputs, list | tuple) and all(leaf.is_leaf for leaf in inputs):
                self._begin(outputs)
                self.origins.forget()
            return original(outputs, inputs, *args, **kwargs)

        return grad

    def _begin(self, root: Tensor) -> None:
        trial, (most, seconds, until_evaluation) = self.trial, self._limits
        elapsed = time.perf_counter() - self._start
        enough = trial.backwards >= most and not (until_evaluation and self.scoring.evaluated_at < 0)
        if enough or elapsed > seconds:
            trial.ending = "stopped" if enough else "time"
            self._stop()
        if trial.backwards == 0:
            trial.first_seconds = elapsed
        if not self._optimizers:
            self.steps += bool(trial.backwards)
        trial.backwards += 1
        trial.losses.append(float(root.detach().mean()) if root.numel() else math.nan)
        self.scoring.close_pass(trial.scores)
        self.change.before_backward(root)

    def _stop(self) -> None:
        self.close()
        if self._on_stop is not None:
            self._on_stop()
        raise Enough

    # -- models and optimizers --------------------------------------------------------------------------------------

    def _wrap_call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __call__(module: nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            if self._depth or self._outside() or isinstance(module, nn.modules.loss._Loss):
                return original(module, *args, **kwargs)
            if not torch.is_grad_enabled():
                self.origins.forget()
            self._inputs.update(id(value) for value in args if isinstance(value, Tensor))
            self._depth += 1
            try:
                args = self.change.enter_model(module, args, kwargs)
                return original(module, *args, **kwargs)
            finally:
                self._depth -= 1
                self.change.leave_model(module)

        return __call__

    def _wrap_clear(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def zero_grad(owner: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(owner, *args, **kwargs)
            if not self._outside():
                self._busy = True
                try:
                    self.change.after_clear(owner)
                finally:
                    self._busy = False
            return result

        return zero_grad

    def _wrap_init(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __init__(optimizer: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            original(optimizer, *args, **kwargs)
            self._optimizers[id(optimizer)] = optimizer

        return __init__

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self._outside():
            self._optimizers[id(optimizer)] = optimizer
            self.change.before_step(optimizer)

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self._outside():
            self._steps_of[id(optimizer)] = self._steps_of.get(id(optimizer), 0) + 1
            self.steps = max(self._steps_of.values())
            self.change.after_step(optimizer)


class _Calls(TorchFunctionMode):
    """Sees the calls of torch functions as they are written, before autograd takes them apart."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        bench, kwargs = self._bench, kwargs or {}
        name = plain_name(func.__name__)
        wanted = name in bench.change.operations
        if bench._busy or not (wanted or name in WATCHED or name in LOSSES or name in ("sub", "eq")):
            return func(*args, **kwargs)
        if wanted:
            func, args, kwargs = bench.change.rewrite(name, (func, args, kwargs))
        result = func(*args, **kwargs)
        if name in WATCHED:
            bench.origins.note(name, func, args, kwargs, result)
        elif name in LOSSES:
            bench.scoring.loss_called(name, args, kwargs)
        elif name == "sub" and torch.is_grad_enabled():
            bench.scoring.subtracted(args)
        elif name == "eq" and not torch.is_grad_enabled():
            bench.scoring.compared(args, result)
        return result


def _leave_uncompiled(model: Any = None, **_: Any) -> Any:
    """In place of `torch.compile`: a compiled graph would hide the calls that a change acts on."""
    return model if model is not None else _leave_uncompiled
