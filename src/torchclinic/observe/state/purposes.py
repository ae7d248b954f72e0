"""What forwards with gradients are for: those train whose graph a backward pass goes through; the others evaluate.

That is known only afterwards: the first nodes that a forward hands out carry a hook, which tells of a backward pass and
lives as long as the graph. Until then the place of the call decides: one from which no training forward came is apart.
"""

import sys
import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor

from torchclinic.observe.records import ForwardPass
from torchclinic.observe.state.clock import Clock
from torchclinic.observe.state.model_track import ModelTrack, Site
from torchclinic.observe.state.rows import TrainedRows

MOST_OUTPUTS = 8
MOST_WATCHED = 4000


class GraphWatch:
    """A hook of autograd's nodes: it changes nothing, and is freed with them."""

    __slots__ = ("__weakref__", "reached")

    def __init__(self, reached: list[bool]) -> None:
        self.reached = reached

    def __call__(self, gradients: Any) -> None:
        self.reached[0] = True


class Watched:
    """A forward with gradients of which it is not known yet what it is for."""

    __slots__ = ("forward", "hook", "notes", "reached", "repeats", "rows", "site", "track")

    def __init__(self, forward: ForwardPass, track: ModelTrack, site: Site, rows: list[int]) -> None:
        self.forward, self.track, self.site, self.rows = forward, track, site, rows
        self.reached = [False]
        self.repeats = 1
        self.notes: list[Callable[[], None]] = []  # to be taken once it is known to have evaluated
        self.hook: weakref.ref[GraphWatch] | None = None

    def attach(self, tensors: list[Tensor]) -> bool:
        """Whether any of what the forward gave has a graph."""
        hook = GraphWatch(self.reached)
        nodes = [tensor.grad_fn for tensor in tensors[:MOST_OUTPUTS] if tensor.grad_fn is not None]
        for node in nodes:
            node.register_prehook(hook)
        self.hook = weakref.ref(hook)
        return bool(nodes)

    def freed(self) -> bool:
        return self.hook is not None and self.hook() is None


class Purposes:
    def __init__(self, clock: Clock, rows: TrainedRows) -> None:
        self._clock, self._rows = clock, rows
        self._watched: list[Watched] = []
        self._open: Watched | None = None
        self.apart = False  # the latest forward with gradients is

    def begins(self, forward: ForwardPass, track: ModelTrack, site: Site, tensors: list[Tensor], *, within: bool) -> None:
        """A forward with gradients, of these tensors; `within`: of a part of a model that was trained as a whole."""
        forward.apart = self.apart = self.is_apart(track, site) or (within and not track.sites)
        rows = self._rows.numbers(tensors) if forward.apart else self._rows.train(track.index, tensors)
        self._open = Watched(forward, track, site, rows)
        self._open.repeats = track.repeat(self._clock.backwards)

    def is_apart(self, track: ModelTrack, site: Site) -> bool:
        """Whether a model that was trained is called where no training forward was, or more often than any of them."""
        return bool(track.sites) and (site not in track.sites or track.exhausted(self._clock.backwards))

    def ends(self, forward: ForwardPass, outputs: list[Tensor]) -> None:
        """The forward gave these."""
        watched, self._open = self._open, None
        if watched is None or watched.forward is not forward:
            return
        if len(self._watched) < MOST_WATCHED and watched.attach(outputs):
            self._watched.append(watched)
        else:  # nothing that could be followed: as it looks
            self._trains(watched)

    def settle(self, *, ended: bool = False) -> None:
        """Which of them a backward pass has reached by now, and which it never will; `ended`: the script has."""
        waiting = []
        for watched in self._watched:
            if watched.reached[0]:
                self._trains(watched)
            elif ended or watched.freed():
                self._never_trains(watched)
            else:
                waiting.append(watched)
        self._watched = waiting

    def serves(self, forward: ForwardPass) -> None:
        """What it gave entered what a backward pass started from, if only as a number."""
        forward.entered = True
        for watched in self._watched:
            if watched.forward is forward:
                watched.track.sites.add(watched.site)
                watched.track.most_repeats = max(watched.track.most_repeats, watched.repeats)

    def if_evaluated(self, forward: ForwardPass, note: Callable[[], None]) -> None:
        """Take a note now or once it is known that `forward` did not train; never, if it did."""
        if forward.evaluated:
            note()
            return
        for watched in filter(None, (self._open, *self._watched)):
            if watched.forward is forward:
                watched.notes.append(note)

    def _never_trains(self, watched: Watched) -> None:
        watched.forward.unreached = True
        if watched.forward.evaluated:
            for note in watched.notes:
                note()

    def _trains(self, watched: Watched) -> None:
        watched.forward.apart = False
        watched.track.sites.add(watched.site)
        watched.track.most_repeats = max(watched.track.most_repeats, watched.repeats)
        self._rows.commit(watched.track.index, watched.rows)


def call_site(depth: int, training: bool) -> Site:
    """The instruction that called, and the one that called its function; `depth` as of `sys._getframe` here."""
    frame = sys._getframe(depth + 1)
    back = frame.f_back
    outer = (id(back.f_code), back.f_lasti) if back is not None else (0, 0)
    return (id(frame.f_code), frame.f_lasti, *outer, training)
