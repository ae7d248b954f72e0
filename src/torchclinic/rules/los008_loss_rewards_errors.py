"""The value that is minimized falls while the error it should measure rises.

## What it means
A flipped sign: a log-likelihood or an overlap (Dice, IoU) is minimized instead of maximized, or an error is multiplied
by -1. Without a lower bound the loss falls for ever, the curve looks splendid, and the model learns to be wrong.
## Evidence
Over the observed steps: `correlation` of the loss with the error (-1 where the loss is its negative), the first and the
last value of both, and the error of guessing (`chance`).
## When this is fine
One player of an adversarial game; there more than one optimizer steps, and the rule abstains. Of losses that are written
by hand only those count that are one term, and whose targets come from no model and are not what the model is given.
## Fix
Minimize the *negative* log-likelihood: `-log_p.mean()`, or `F.cross_entropy`, which has the sign already; one minus the
overlap.
## References
Bishop 2006, "Pattern Recognition and Machine Learning", eq. 4.108.
"""

from collections.abc import Iterator
from statistics import StatisticsError, correlation

from torchclinic.observe.records import LossDirection
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("LOS008", "loss-rewards-errors", "error", "window", LossDirection, __doc__)


def check(record: LossDirection, *, least_points: int = 5, most_correlation: float = -0.95) -> Iterator[Finding]:
    """At -0.95 nine tenths of what moves the loss is the error's negative; the rest is left to other terms of it."""
    errors, roots = record.errors, record.roots
    if len(errors) < least_points:
        raise Undecided(f"the loss was seen beside its error in {len(errors)} steps, of {least_points} needed")
    try:
        together = correlation(errors, roots)
    except StatisticsError:  # one of them is constant
        return
    worse = errors[-1] > errors[0] and not errors[-1] < record.chance
    if together > most_correlation or not worse or roots[-1] >= roots[0]:
        return
    if record.optimizers > 1:
        raise Undecided("a loss falls as its error rises, in a run of several optimizers: it may be one player's")
    yield RULE.finding(
        f"The loss falls from {roots[0]:.3g} to {roots[-1]:.3g} while the error ({record.measure}) rises from "
        f"{errors[0]:.3g} to {errors[-1]:.3g}: its sign is flipped.",
        line=record.root_line or record.line,
        step=record.steps[0],
        evidence={
            "correlation": together,
            "first_error": errors[0],
            "last_error": errors[-1],
            "chance": record.chance,
            "first_loss": roots[0],
            "last_loss": roots[-1],
            "measured_on": record.line,
        },
        fix="Minimize the error itself, that is the negative log-likelihood, or one minus an overlap: change the sign of the loss.",
    )


def sick() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("loss = ", "loss = -")))


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
