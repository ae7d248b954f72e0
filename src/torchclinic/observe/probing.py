"""Extra passes through a model beside its own, on a snapshot that is restored.

How signal and gradient travel; whether eval mode is deterministic and keeps samples apart; what eval mode makes of a
training batch.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from torchclinic.errors import InputError
from torchclinic.instruments.layer_signal import Propagation
from torchclinic.instruments.propagation import propagation
from torchclinic.instruments.values import tensors_in
from torchclinic.observe.answers import AnswerWatch
from torchclinic.observe.carry_over import CarryOverWatch
from torchclinic.observe.probes.eval_pass import eval_pass, print_of
from torchclinic.observe.probes.mode_gap import KeptBatch, keep, label, mode_gap, normalizations
from torchclinic.observe.records import EvalPass, ModeGap
from torchclinic.script.frames import hushed

if TYPE_CHECKING:
    from torchclinic.observe.records import ForwardPass
    from torchclinic.observe.session import Session
    from torchclinic.observe.state.model_track import ModelTrack

LATER_STEP = 5  # the second look, after training has begun
MOST_PARAMETERS = 30_000_000
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Probing:
    """Probes each trained model at its first step and once more a little later, and when it is evaluated."""

    def __init__(self, session: "Session") -> None:
        self.session = session
        self.records: list[Propagation] = []
        self.eval_passes: list[EvalPass] = []
        self.gaps: dict[int, ModeGap] = {}
        self.carry_over = CarryOverWatch(session)
        self.answers = AnswerWatch(session)
        self._done: set[tuple[int, bool]] = set()
        self._prints: dict[int, tuple[float, ...]] = {}  # of the batch at the first look
        self._kept: dict[int, KeptBatch] = {}
        self._latest: KeptBatch | None = None
        self._evaluated: dict[int, int] = {}

    def look(self, model: nn.Module, track: "ModelTrack", args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called before a training forward of `model` with these arguments."""
        if not _unsuitable(model, track, args, kwargs):
            self._try(lambda: self.answers.look(model, track, args, kwargs))
        later = self.session.step >= LATER_STEP
        key = (track.index, later)
        if key in self._done or not (later or self.session.step == 0) or track.index > 3:
            return
        optimizers = self.session.training.optimizers.values()
        if all({id(p) for p in optimizer.parameters()}.isdisjoint(track.parameter_names) for optimizer in optimizers):
            return
        self._done.add(key)
        reason = _unsuitable(model, track, args, kwargs)
        if reason:
            self.session.run.probe_reason = reason
            return
        self._try(lambda: self.records.append(self._propagation(model, kwargs or args)))
        self._try(lambda: self._eval_pass(model, track, args, kwargs))

    def _propagation(self, model: nn.Module, batch: Any) -> Propagation:
        """The record, with the lines on which weights were given their first values."""
        record = propagation(model, batch, step=self.session.step)
        parameters = dict(model.named_parameters(remove_duplicate=False))
        line, rows = "", []
        for row in record.rows:
            if row.parameter in parameters:
                line = self.session.origins.values_line(parameters[row.parameter])
            rows.append(replace(row, line=line))
        return replace(record, rows=tuple(rows))

    def _eval_pass(self, model: nn.Module, track: "ModelTrack", args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        found = eval_pass(model, args, kwargs, self.session.step)
        if found is not None:
            batch = print_of(args, kwargs)
            found.shape = next((tuple(tensor.shape) for tensor in tensors_in([args, kwargs])), ())
            found.fresh = self._prints.setdefault(track.index, batch) != batch
            self.eval_passes.append(found)

    def keep(
        self, model: nn.Module, track: "ModelTrack", args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Called after a training forward: the batch is what an evaluation will be compared on."""
        self._latest = None
        if track.index > 3 or _unsuitable(model, track, args, kwargs):
            return
        self._try(lambda: self._keep(track, keep(model, args, kwargs, result)))

    def _keep(self, track: "ModelTrack", kept: KeptBatch | None) -> None:
        if kept is not None:
            self._kept[track.index] = self._latest = kept

    def label(self, function: str, prediction: Tensor, target: Tensor, ignored: object = None) -> None:
        """Called at a loss with gradients."""
        self.answers.loss(function, target, ignored)
        self.session.held_out.labelled(target, ignored)
        for record in self.eval_passes:
            if record.step == self.session.step and target.dim() and record.shape.count(len(target)) == 1:
                record.labelled = record.labelled or record.shape[0] == len(prediction) == len(target)
        if self._latest is not None:
            label(self._latest, function, prediction, target)

    def evaluate(self, model: nn.Module, track: "ModelTrack", forward: "ForwardPass", args: Any) -> None:
        """Called before a forward of `model` without gradients, once in each evaluation."""
        kept = self._kept.get(track.index)
        if kept is None or self._evaluated.get(track.index) == self.session.evaluating:
            return
        self._evaluated[track.index] = self.session.evaluating
        if forward.evaluating() and normalizations(model):
            self._try(lambda: self._gap(model, track, kept, forward.line))
        self._try(lambda: self.carry_over.evaluate(model, track, kept, args, forward.line))

    def _gap(self, model: nn.Module, track: "ModelTrack", kept: KeptBatch, line: str) -> None:
        gap = mode_gap(model, track, kept, self.session.step)
        if gap is not None:
            made = self.session.origins.line(model.get_submodule(gap.example))
            gap.line = made or line
            self.gaps[track.index] = gap

    def _try(self, probe: Callable[[], None]) -> None:
        self.session.quiet = True
        try:
            with hushed(), _casts_not_kept():  # a model that prints is not to print twice
                probe()
        except InputError as error:
            self.session.run.probe_reason = str(error)
        except Exception as error:  # a probe that fails must not cost the user the run
            if os.environ.get("TORCHCLINIC_STRICT"):
                raise
            self.session.run.probe_reason = f"the probe failed: {type(error).__name__}: {error}"
        finally:
            self.session.quiet = False


@contextlib.contextmanager
def _casts_not_kept() -> Iterator[None]:
    """Autocast keeps the casts of weights; one that was made without gradients must not serve the user's forward."""
    enabled = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(enabled)


def _unsuitable(model: nn.Module, track: "ModelTrack", args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    if track.parameters > MOST_PARAMETERS:
        return f"{track.kind} has more than {MOST_PARAMETERS:,} parameters; `tc.propagation` probes it on demand"
    if any(getattr(module, hooks) for module in model.modules() for hooks in _HOOKS):
        return f"{track.kind} carries hooks, which an extra pass would set off"
    if args and kwargs:
        return f"{track.kind} is called with positional and keyword arguments; the probe repeats one kind"
    return ""
