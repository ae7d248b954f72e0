"""Targets lie outside what the output activation can produce.

## What it means
A sigmoid gives (0, 1), tanh (-1, 1), ReLU no negative value: the error on the other targets cannot vanish.
## Evidence
The activation that made the prediction, and the share of targets outside its range by more than 0.01.
## When this is fine
A few outliers: up to `share` of the targets.
## Fix
Remove the activation, or scale the targets into its range.
## References
Goodfellow et al. 2016, Deep Learning, section 6.2.2: linear output units for Gaussian targets.
"""

from collections.abc import Iterator

from torchclinic.observe.records import LossCall
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import REGRESSION, changed

RULE = Rule("LOS007", "output-range-excludes-targets", "error", "exact", LossCall, __doc__)


def check(call: LossCall, *, share: float = 0.05) -> Iterator[Finding]:
    """`share`: above it the floor of a squared error is not explained by single outliers."""
    name = call.prediction.producer.rstrip("_")
    if call.function not in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss") or name not in _OUTSIDE:
        return
    if call.prediction.shape != call.target.shape or not call.prediction.requires_grad:
        return
    outside = sum(getattr(call.target, name_) for name_ in _OUTSIDE[name])
    if not outside > share:
        return
    yield RULE.finding(
        f"{outside:.0%} of the targets (from {call.target.minimum:.3g} to {call.target.maximum:.3g}) lie outside "
        f"the range "
        f"of `{name}`, which makes the prediction.",
        where=call.where,
        line=call.prediction.producer_line or call.line,
        step=call.step,
        evidence={
            "activation": name,
            "share_outside": outside,
            "target_min": call.target.minimum,
            "target_max": call.target.maximum,
        },
        fix=f"Remove the `{name}` from the output, or scale the targets into its range.",
    )


_OUTSIDE = {
    "sigmoid": ("below_zero", "above_one"),
    "softmax": ("below_zero", "above_one"),
    "tanh": ("below_minus_one", "above_one"),
    "relu": ("below_zero",),
    "softplus": ("below_zero",),
}


def sick() -> Specimen:
    return Specimen(changed(REGRESSION, ("nn.Linear(8, 1))", "nn.Linear(8, 1), nn.Sigmoid())")))


def healthy() -> Specimen:
    return Specimen(REGRESSION)
