"""What a tap is: it replaces or hooks something of torch for the time of an observation, keeps the state, and tells events.

It owns what it replaces: `install` goes through `patches`, which puts everything back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from torchclinic.observe.bus import Bus
from torchclinic.observe.own import Own, Witness, transforming
from torchclinic.observe.state.model_track import Site
from torchclinic.observe.state.state import State
from torchclinic.observe.taps.calls import CallMode
from torchclinic.observe.taps.patches import Patches

TRANSFORMED = "torch.func transforms (vmap, grad) are used: what happens inside them was not observed"


class Fast(Protocol):
    """Steps that nobody looks at: each method deals with one call, or answers False for the ordinary way."""

    on: bool

    def passes(self, key: int) -> bool: ...
    def takes(self, model: nn.Module) -> bool: ...
    def cleared(self, owner: object) -> bool: ...
    def backward_begins(self, root: Tensor) -> bool: ...
    def backward_ended(self, root: Tensor) -> None: ...
    def step_begins(self, optimizer: torch.optim.Optimizer) -> bool: ...
    def step_ends(self, optimizer: torch.optim.Optimizer) -> bool: ...
    def due(self) -> bool: ...
    def end(self) -> None: ...


class Schedule(Protocol):
    """Decides how closely the run is looked at."""

    def activate(self) -> None: ...
    def deactivate(self, final: bool = False) -> None: ...
    def model_called(self, model: nn.Module, site: Site) -> None: ...
    def model_begins(self, model: nn.Module, site: Site) -> None: ...
    def window_begins(self) -> bool: ...
    def optimizer_made(self) -> None: ...
    def end_of_step(self) -> None: ...
    def pause(self) -> bool: ...
    def go_on(self, seeing: bool) -> None: ...
    def compiled(self) -> None: ...


class Sampler(Protocol):
    """Takes samples of outputs, gradients and weights."""

    on: bool
    layers: dict[int, Any]

    def listens(self) -> bool: ...
    def take(self, module: nn.Module, result: Any) -> None: ...
    def before_step(self, optimizer: torch.optim.Optimizer) -> None: ...
    def after_step(self, optimizer: torch.optim.Optimizer) -> None: ...


@dataclass(slots=True)
class Wiring:
    """What a tap is handed: it knows nothing else of the session."""

    state: State
    bus: Bus
    own: Own
    patches: Patches
    mode: CallMode
    schedule: Schedule
    fast: Fast
    sampler: Sampler
    witness: Witness | None = None


class Tap:
    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.state, self.clock, self.own = wiring.state, wiring.state.clock, wiring.own
        self.tell = wiring.bus.tell
        self.prepare()

    def prepare(self) -> None:
        """What the tap itself remembers."""

    def install(self, replace: Callable[..., None]) -> list[Any]:
        """Replace what is tapped; handles that are returned are removed at the end."""
        raise AssertionError(type(self).__name__)

    def transformed(self) -> bool:
        """Whether a transform of torch.func runs: what happens in it is not observed, and that is said."""
        inside = transforming()
        if inside:
            self.state.limited(TRANSFORMED)
        return inside

    def settle(self) -> None:
        """Bring the state up to date before records are collected."""

    def close(self) -> None:
        """The observation ends. Idempotent."""
