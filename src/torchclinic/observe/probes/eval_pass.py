"""Forwards of a few samples in eval mode: is the model still random, and do samples mix?"""

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode

from torchclinic.instruments.arguments import apply, common_rows, first_rows
from torchclinic.instruments.guard import untouched
from torchclinic.instruments.values import fingerprint, is_plain, tensors_in
from torchclinic.observe.probes.mixing import Calls, mixing_line
from torchclinic.observe.records import EvalPass, RandomCall
from torchclinic.script.lines import call_text, user_line
from torchclinic.vocabulary import DROPOUTS, RANDOM_DRAWS, plain_name

MOST_ROWS = 32
LEAST_ROWS = 4  # two are kept, the others replaced
LEAST_SPREAD = 1e-4  # of the output's size; below it, rounding is no longer small beside the differences of samples
_TORCH = str(Path(torch.__file__).parent)


def eval_pass(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], step: int) -> EvalPass | None:
    """Run `model` three or four times in eval mode on the first rows of its arguments. Nothing is left changed.

    None where the arguments have no common first dimension of at least four rows, or the output has none.
    """
    rows = common_rows(args, kwargs)
    if rows < LEAST_ROWS:
        return None
    whole, rows, together = rows, min(rows, MOST_ROWS), ""
    with untouched(model), torch.no_grad():
        model.eval()
        runner = _Runner(model, *first_rows((args, kwargs), rows))
        try:
            first = runner(seed=0)
        except (RuntimeError, IndexError, ValueError):
            if rows == whole:
                raise
            together = f"it does not run on {rows} of its {whole} rows alone: they belong together, as in a graph"
            rows, runner = whole, _Runner(model, args, kwargs)
            first = runner(seed=0)
        second = runner(seed=1, watch=_DrawMode(runner))
        if not first:
            return None
        result = EvalPass(type(model).__name__, user_line(4), step, rows, change(first, second), tuple(runner.calls))
        result.example = " ".join(str(tuple(tensor.shape)) for tensor in first)
        result.mixing_reason = together or _unclear(model, first, rows) or runner.batch_statistics
        if not result.mixing_reason:
            _mix(result, runner, first, rows)
    return result


class _Runner:
    """The model on chosen rows, with the same random numbers whenever the seed is the same."""

    def __init__(self, model: nn.Module, args: Any, kwargs: Any) -> None:
        self.model, self.args, self.kwargs = model, args, kwargs
        self.calls: list[RandomCall] = []
        self.batch_statistics = ""

    def __call__(
        self, *, seed: int, watch: TorchFunctionMode | None = None, change: Callable[[Tensor], Tensor] = torch.clone
    ) -> list[Tensor]:
        torch.manual_seed(seed)
        args, kwargs = apply((self.args, self.kwargs), change)
        with watch or contextlib.nullcontext():
            return outputs_of(self.model(*args, **kwargs))


class _DrawMode(TorchFunctionMode):
    """Notes which calls draw random numbers."""

    def __init__(self, runner: _Runner) -> None:
        super().__init__()
        self.runner = runner

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = plain_name(func.__name__)
        if name in DROPOUTS:
            training = kwargs.get("training", args[2] if len(args) > 2 else True)
            if training and kwargs.get("p", args[1] if len(args) > 1 else 0.5):
                self._note(name, True, _written_out())
        elif name == "scaled_dot_product_attention":
            if kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0):
                self._note(name, True, False)
        elif name in RANDOM_DRAWS:
            self._note(name, False, False)
        elif name == "batch_norm" and kwargs.get("training", args[5] if len(args) > 5 else False):
            self.runner.batch_statistics = "it normalizes by the statistics of the batch in eval mode"
        return func(*args, **kwargs)

    def _note(self, name: str, drops: bool, asked_for: bool) -> None:
        line = user_line(4)
        if len(self.runner.calls) < 20 and not any(call.line == line for call in self.runner.calls):
            self.runner.calls.append(RandomCall(name, "", line, drops, asked_for))


def _written_out() -> bool:
    """Whether the user's own call says whether to drop; a call that is not the user's own counts as meant."""
    text = call_text(3, _TORCH)
    return not text or "training" in text or "True" in text


def outputs_of(result: Any) -> list[Tensor]:
    """Floating-point tensors of a model's output."""
    return [t.detach() for t in tensors_in(result) if is_plain(t) and t.is_floating_point() and t.numel()]


def change(before: list[Tensor], after: list[Tensor], index: Any = ...) -> float:
    """Largest difference at `index`, as a share of how much the outputs of different samples differ."""
    worst = 0.0
    for old, new in zip(before, after, strict=False):
        if old.shape != new.shape:
            return math.inf
        difference = float((old[index].float() - new[index].float()).abs().max())
        spread = float((old.float() - old.float().mean(0, keepdim=True)).square().mean().sqrt())
        if difference:
            worst = max(worst, difference / spread if spread else math.inf)
    return worst


def _unclear(model: nn.Module, outputs: list[Tensor], rows: int) -> str:
    """Why a change of the other samples' outputs says nothing about this model."""
    if any(
        isinstance(m, _NormBase) and m.running_mean is None and m.__class__.__name__.startswith(("BatchNorm", "Sync"))
        for m in model.modules()
    ):
        return "a BatchNorm keeps no running statistics, so eval mode normalizes by the batch"
    per_sample = [t for t in outputs if t.dim() and t.shape[0] == rows]
    if not per_sample:
        return "no output has the first dimension of the arguments"
    if any(t.shape.count(rows) > 1 for t in per_sample):
        return "an output compares every sample with every other"
    for tensor in per_sample:
        spread = (tensor.float() - tensor.float().mean(0, keepdim=True)).square().mean().sqrt()
        if not bool(torch.isfinite(tensor).all()) or spread <= LEAST_SPREAD * tensor.float().square().mean().sqrt():
            return "the outputs of different samples are alike up to rounding, or not finite"
    return ""


def _mix(result: EvalPass, runner: _Runner, first: list[Tensor], rows: int) -> None:
    """Keep the first and the last sample, replace all others by the second: do the two outputs change?"""
    if result.difference and change(first, runner(seed=0)):
        result.mixing_reason = "its output is random in eval mode"
        return
    per_sample = [index for index, tensor in enumerate(first) if tensor.dim() and tensor.shape[0] == rows]
    after = runner(seed=0, change=lambda tensor: _replaced(tensor, 0))
    kept = [first[i] for i in per_sample], [after[i] for i in per_sample]
    result.mixing = change(*kept, index=[0, rows - 1])
    if result.mixing:
        result.other_batch = _independent(runner, kept[0], per_sample)
        passes = [Calls(rows), Calls(rows)]
        for watch, change_ in zip(passes, (torch.clone, lambda tensor: _replaced(tensor, 0)), strict=True):
            runner(seed=0, watch=watch, change=change_)
        result.mixing_line = mixing_line(*passes)


def _replaced(tensor: Tensor, dim: int) -> Tensor:
    size = tensor.shape[dim]
    index = torch.ones(size, dtype=torch.long, device=tensor.device)
    index[0], index[-1] = 0, size - 1
    return tensor.index_select(dim, index)


def _independent(runner: _Runner, first: list[Tensor], per_sample: list[int]) -> str:
    """Another dimension of the argument along which no output depends on its neighbours: it may be the batch."""
    inputs = list(tensors_in([runner.args, runner.kwargs]))
    for dim, end in _pairs(inputs[0], first):
        if any(tensor.dim() <= dim for tensor in inputs):
            continue
        after = runner(seed=0, change=lambda tensor, dim=dim: _replaced(tensor, dim))  # type: ignore[misc]
        moved = [after[i].movedim(end, 0) for i in per_sample if after[i].dim() > end]
        before = [tensor.movedim(end, 0) for tensor in first if tensor.dim() > end]
        if change(before, moved, index=[0, -1]) < LEAST_SPREAD:
            return f"dimension {dim} of the input"
    return ""


def _pairs(tensor: Tensor, outputs: list[Tensor]) -> Iterator[tuple[int, int]]:
    for dim in range(1, min(tensor.dim(), 4)):
        for end in range(min(outputs[0].dim(), 4)):
            if tensor.shape[dim] >= LEAST_ROWS - 1 and outputs[0].shape[end] == tensor.shape[dim]:
                yield dim, end


def print_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[float, ...]:
    """A few numbers that two different batches do not share."""
    plain = (tensor for tensor in tensors_in([args, kwargs]) if is_plain(tensor) and tensor.numel())
    return tuple(number for tensor in plain for number in fingerprint(tensor))
