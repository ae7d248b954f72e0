"""The targets are far larger than what the network puts out, and it does not get there.

## What it means
A fresh network puts out numbers of order 1. Where the targets are of order 10⁵, the output has to grow a hundred
thousand times before anything about them can be learned, and every gradient carries the factor.
## Evidence
Mean, spread and root mean square `target_rms` of the targets that were seen, `output_rms` of the first outputs, and
`error` at the end (median of the last fifth of the run) beside `constant`, that of always predicting the targets' mean.
## When this is fine
Targets of any size that are learned; a loss that still falls fast enough to get there in as many steps again. A run of
fewer than `min_steps` steps, or a loss that is put together from several, is not judged.
## Fix
Subtract the mean of the training targets and divide by their standard deviation; undo it on the predictions. Prices and
counts: take the logarithm first.
## References
Bishop 1995, Neural Networks for Pattern Recognition, section 8.2; Kingma and Ba 2015, arXiv:1412.6980, section 2.1: a
step of Adam is bounded by about the learning rate.
"""

import math
from collections.abc import Iterator

from torchclinic.observe.records import BackwardPass, RegressionTargets, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import REGRESSION, changed
from torchclinic.rules.timeline import losses, parts

CAUSES = ("LOS007", "SHP001", "WIR007", "WIR006", "WIR004", "WIR002", "OPT003")
RULE = Rule(
    "DAT009", "unnormalized-target", "warning", "window", RunRecord, __doc__, follows=CAUSES, needs=("numbers for targets",)
)


def check(run: RunRecord, *, factor: float = 30.0, min_steps: int = 100, least: int = 64, off: float = 1.5) -> Iterator[Finding]:
    """`factor`: at Adam's usual rate of 1e-3 the output over 64 hidden units of size 1/2 moves by 64 · 1e-3 / 2 = 0.03
    per step, so a target of 30 is a thousand steps away; standardized targets are 1, and outputs below 1 count as 1.

    `off`: the loss at the end over the variance; 1 is the constant prediction. The variance of 64 numbers is known to
    ±18 % (sqrt(2 / 64)), of skewed ones to twice that. Targets without a mean have the loss of the constant prediction
    from the start: there it must not have fallen by as much as 1 %.
    """
    found = [targets for targets in run.of(RegressionTargets) if targets.untrained and targets.numbers]
    if len(found) != 1 or not found[0].rms() > factor * max(1.0, found[0].output):
        return
    targets = found[0]
    roots = {b.error if b.error_mean else b.root_operation for b in run.of(BackwardPass)}
    values = losses(run)
    if roots != {targets.function} or not values or not math.isfinite(values[0]) or not math.isfinite(targets.rms()):
        raise Undecided("the targets are large; what the loss at the end means for them is not known")
    first, _, before, _, last = (targets.error(value) for value in parts(values, 5))
    if math.isfinite(last) and (len(values) < min_steps or targets.numbers < least):
        raise Undecided(f"the targets are large; with {len(values)} steps it is too early to say whether it matters")
    spread = targets.spread()
    biased = last > math.sqrt(off) * spread and last > targets.rms() / factor
    still = targets.function == "mse_loss" and last > 0.95 * spread and last**2 > 0.99 * first**2
    if not (biased or still):
        return
    if last - 2.5 * (before - last) < math.sqrt(off) * spread and not still:  # `before` is 2/5 of the run earlier
        raise Undecided("the targets are large, and the loss still falls towards that of the constant prediction")
    outcome = f"the error is still {last:.3g}" if math.isfinite(last) else "the loss is no longer finite"
    yield RULE.finding(
        f"The targets have mean {targets.mean():.4g} and spread {spread:.3g}, the first outputs root mean square "
        f"{targets.output:.2g}: after {len(values)} steps {outcome}, where always predicting the mean has {spread:.3g}.",
        line=targets.line,
        step=targets.step,
        evidence={"target_rms": targets.rms(), "output_rms": targets.output, "error": last, "constant": spread},
        fix="Standardize the targets with the mean and standard deviation of the training set (prices: log first).",
    )


def sick() -> Specimen:
    return Specimen(_SCRIPT)


def healthy() -> Specimen:
    return Specimen(changed(_SCRIPT, ("* 1e5 + 3e5", "")))


_SCRIPT = changed(
    REGRESSION,
    ("/ 2\n", "/ 2 * 1e5 + 3e5\n"),
    ("SGD(model.parameters(), lr=0.05)", "Adam(model.parameters(), lr=0.01)"),
    ("range(0, 80, 8):", "[8 * (i % 10) for i in range(120)]:"),
)
