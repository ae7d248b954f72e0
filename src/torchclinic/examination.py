"""`tc.checkup`: the exact checks on the first steps of a training, without keeping them."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

STEPS = 12
MOST_STEPS = 60
MOST_SECONDS = 3.0


class FirstSteps:
    """Stops a script after `STEPS` steps, or a little later if an evaluation may still come."""

    def __init__(self) -> None:
        self._first = 0.0

    def __call__(self, session: "Session") -> bool:
        now = time.monotonic()
        self._first = self._first or now
        if session.step < STEPS:
            return now - self._first > 4 * MOST_SECONDS
        return bool(session.evaluating) or session.step >= MOST_STEPS or now - self._first > MOST_SECONDS
