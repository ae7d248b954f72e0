"""What a probe is: a collector that makes passes of its own through the script's model, beside the script's."""

import contextlib
import os
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import torch
from torch import nn

from torchclinic.errors import InputError
from torchclinic.observe.collector import Collector
from torchclinic.observe.own import modeless
from torchclinic.observe.records import ProbeFailure
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.script.frames import hushed

MOST_PARAMETERS = 30_000_000
MOST_MODELS = 4  # that are probed
_order = count()
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Probe(Collector):
    """Each attempt restores everything bit for bit, so that it does not matter which probe comes first."""

    _failure: ProbeFailure | None = None

    def attempt(self, probe: Callable[[], None]) -> None:
        """Run it unheard; what it raises becomes the reason why nothing is known."""
        clock = self.state.clock
        clock.quiet = True
        try:
            with hushed(), modeless(), _casts_not_kept():  # a model that prints is not to print twice
                probe()
        except InputError as error:
            self.fail(str(error))
        except Exception as error:  # a probe that fails must not cost the user the run
            if os.environ.get("TORCHCLINIC_STRICT"):
                raise
            self.fail(f"the probe failed: {type(error).__name__}: {error}")
        finally:
            clock.quiet = False

    def fail(self, reason: str) -> None:
        self._failure = ProbeFailure(reason, next(_order))

    def records(self) -> Iterator[object]:
        if self._failure is not None:
            yield self._failure


@contextlib.contextmanager
def _casts_not_kept() -> Iterator[None]:
    """Autocast keeps the casts of weights; one that was made without gradients must not serve the user's forward."""
    enabled = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(enabled)


def unsuitable(model: nn.Module, track: ModelTrack, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Why no extra pass is made; empty if one can be."""
    if track.parameters > MOST_PARAMETERS:
        return f"{track.kind} has more than {MOST_PARAMETERS:,} parameters; `tc.propagation` probes it on demand"
    if any(getattr(module, hooks) for module in model.modules() for hooks in _HOOKS):
        return f"{track.kind} carries hooks, which an extra pass would set off"
    if args and kwargs:
        return f"{track.kind} is called with positional and keyword arguments; the probe repeats one kind"
    return ""
