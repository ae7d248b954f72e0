"""What keeps a run without findings from being called fine."""

import math

from torchclinic.observe.records import CarryOver, Learning, RunRecord
from torchclinic.rules.timeline import late_loss, losses, measures_errors, parts, sole_optimizer
from torchclinic.units import format_number

LONG_ENOUGH = 50  # losses, before one that does not fall is worth a word
LEAST_ROWS = 40
NOTHING = 0.02  # of what the best constant answer leaves
DEEP = 1e4  # times the first loss, below zero


def doubt(run: RunRecord) -> str:
    """Why the run may have failed all the same, in a sentence; empty if nothing speaks for it."""
    values = losses(run)
    if values and not math.isfinite(values[-1]):
        return f"The last loss is {values[-1]}."
    if len(values) < LONG_ENOUGH:
        return ""
    return _bottomless(values) or _constant(run) or _stands(run, values) or _at_chance(run)


def _bottomless(values: list[float]) -> str:
    if values[-1] < -DEEP * max(1.0, abs(values[0])):
        return f"The loss has fallen to {format_number(values[-1])}: it has no lower bound, so it measures no error."
    return ""


def _constant(run: RunRecord) -> str:
    """The loss ends where it would without looking at the inputs."""
    found = run.of(Learning)
    if len(found) != 1 or sole_optimizer(run) is None or not found[0].constant > 0:
        return ""
    learning, late = found[0], late_loss(run)
    if not 1 - late / learning.constant <= NOTHING:
        return ""
    known = "whether the inputs tell more is not known"
    if learning.reference:
        known = f"{learning.reference} finds no more in the same rows"
    constant = format_number(learning.constant)
    return f"The loss ends at {format_number(late)}, and the best constant answer has {constant}; {known}."


def _stands(run: RunRecord, values: list[float]) -> str:
    """The loss did not fall, from the first to the last fifth."""
    curve = parts(values, 5)
    if curve[-1] < curve[0] or sole_optimizer(run) is None:
        return ""
    ends = f"The loss did not fall ({format_number(curve[0])} → {format_number(curve[-1])})"
    return f"{ends}." if measures_errors(run) else f"{ends}; whether it is meant to is not known."


def _at_chance(run: RunRecord) -> str:
    last = run.of(CarryOver)[-1:]
    if not last or last[0].unseen.rows < LEAST_ROWS or last[0].unseen.kappa > 2 * last[0].unseen.error(0.0):
        return ""
    unseen = last[0].unseen
    return f"The last evaluation is no better than chance (κ {unseen.kappa:.2f} on {unseen.rows:.0f} rows)."
