"""An extra pass through a model before one of its own, on a snapshot that is restored: how signal and gradient travel."""

import contextlib
import io
import os
from typing import TYPE_CHECKING, Any

from torch import nn

from torchclinic.errors import InputError
from torchclinic.observe.layer_signal import Propagation
from torchclinic.observe.propagation import propagation

if TYPE_CHECKING:
    from torchclinic.observe.modules import ModelTrack
    from torchclinic.observe.session import Session

LATER_STEP = 5  # the second look, after training has begun
MOST_PARAMETERS = 30_000_000
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Probing:
    """Probes each trained model at its first step and once more a little later."""

    def __init__(self, session: "Session") -> None:
        self.session = session
        self.records: list[Propagation] = []
        self._done: set[tuple[int, bool]] = set()

    def look(self, model: nn.Module, track: "ModelTrack", args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called before a training forward of `model` with these arguments."""
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
        self.session.quiet = True
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # a model that prints is not to print twice
                self.records.append(propagation(model, kwargs or args, step=self.session.step))
        except InputError as error:
            self.session.run.probe_reason = str(error)
        except Exception as error:  # a probe that fails must not cost the user the run
            if os.environ.get("TORCHCLINIC_STRICT"):
                raise
            self.session.run.probe_reason = f"the probe failed: {type(error).__name__}: {error}"
        finally:
            self.session.quiet = False


def _unsuitable(model: nn.Module, track: "ModelTrack", args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    if track.parameters > MOST_PARAMETERS:
        return f"{track.kind} has more than {MOST_PARAMETERS:,} parameters; `tc.propagation` probes it on demand"
    if any(getattr(module, hooks) for module in model.modules() for hooks in _HOOKS):
        return f"{track.kind} carries hooks, which an extra pass would set off"
    if args and kwargs:
        return f"{track.kind} is called with positional and keyword arguments; the probe repeats one kind"
    return ""
