"""Where the run is, and how closely it is looked at."""

import threading
from enum import Enum

FIRST_CALLS = 20_000  # of torch functions that a witness is shown before the first model; some 0.1 s


class Depth(Enum):
    """How closely. `Schedule` alone turns it."""

    WAITING = "for the first model, optimizer or backward pass"
    FULL = "everything is looked at"
    BETWEEN = "losses are noted, all else goes by"
    PAUSED = "a tracer runs, or a CUDA graph is captured, to which we must not be seen"
    STOPPED = "for good: in a forked child, or after an error of ours"


class Clock:
    def __init__(self) -> None:
        self.step = 0  # iterations; several optimizers may step in one
        self.steps_total = 0  # of all optimizers
        self.backwards = 0
        self.evaluations = 0
        self.evaluation_forwards = 0  # in a row without gradients
        self.observed_steps = 0
        self.early_calls = 0  # of torch functions, before the first model
        self.in_backward = False
        self.quiet = False  # inside our own work
        self._thread = threading.get_ident()
        self.turn(Depth.WAITING)

    def turn(self, depth: Depth) -> None:
        self.depth = depth
        self.full, self.waiting = depth is Depth.FULL, depth is Depth.WAITING
        self.stopped = depth in (Depth.PAUSED, Depth.STOPPED)

    def own_thread(self) -> bool:
        return threading.get_ident() == self._thread

    def recording(self) -> bool:
        """Whether what the script does now counts: it is not our own work."""
        return not self.stopped and not self.quiet
