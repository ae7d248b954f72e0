"""Keeps the cost of observing below a share of the run, by measuring it."""

import sys
import time

SAMPLING = 0.4  # share of the budget for the statistics of layers; the rest is for steps observed in full
GROWTH = 1.3  # the next observed step comes 1.3 times later than the previous one, where the budget allows


class Budget:
    """An observed step costs its duration less that of a plain one; both are measured as the run goes."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.spent = 0.0  # on steps observed in full
        self.sampling = 0.0  # on the statistics of layers
        self.between = 0.0  # on the other steps, as far as it is clocked
        self.began = self.ended = 0.0
        self._last = 0.0
        self.plain = float("inf")  # seconds of a step that is not observed
        self._early: list[float] = []  # steps observed before a plain one was seen
        self._dear = 0.0  # what the latest observed step cost
        self._next = 0.0

    def start(self) -> None:
        self.began = self._last = time.perf_counter()

    def resume(self) -> None:
        """The time since the last step was not ours to watch."""
        now = time.perf_counter()
        if self.began:
            self.began += now - self._last
        else:
            self.began = now
        self._last = now

    def stop(self) -> None:
        if not self.ended:
            self.ended = time.perf_counter()

    @property
    def elapsed(self) -> float:
        return (self.ended or time.perf_counter()) - self.began

    def step(self, *, observed: bool, steps: int = 1) -> None:
        """A step has ended, or several of which the last was not observed."""
        now = time.perf_counter()
        took, self._last = (now - self._last) / steps, now
        if observed and self.plain == float("inf"):
            self._early.append(took)
            self.spent = sum(self._early[1:]) / 2  # the first holds all that the script did before
        elif observed:
            self._dear = max(0.0, took - self.plain)
            self.spent += self._dear
        elif self.plain == float("inf"):
            self.plain = took
            dear = [max(0.0, early - took) for early in self._early[1:]]
            self.spent = sum(dear) + max(dear, default=0.0)
            self._dear = dear[-1] if dear else 0.0
        else:
            self.plain += 0.1 * (min(took, 3 * self.plain) - self.plain)

    def _free(self) -> float:
        """Seconds that looking more closely may have cost by now: what the other steps leave, but half the share at least."""
        return max(self.share * self.elapsed - self.between, self.share * self.elapsed / 2)

    def allows(self) -> bool:
        return self.spent + self._dear < (1 - SAMPLING) * self._free()

    def allows_sampling(self) -> bool:
        return self.sampling < SAMPLING * self._free()

    def until_due(self, step: int) -> int:
        """Steps to the next one that is to be observed if the budget allows; very many if that has been reached."""
        return int(self._next - step) if self._next > step else sys.maxsize

    def due(self, step: int) -> bool:
        """Whether the next step is to be observed."""
        if step < self._next or not self.allows():
            return False
        self._next = max(step + 1, step * GROWTH)
        return True

    @property
    def overhead(self) -> float:
        """Share of the time spent observing, as measured."""
        return (self.spent + self.sampling + self.between) / self.elapsed if self.elapsed > 0 else 0.0
