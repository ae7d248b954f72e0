"""Targets lie outside what the output activation can produce.

## What it means
A sigmoid gives (0, 1), tanh (-1, 1), ReLU no negative value: the error on the other targets cannot vanish. The probabilities
of a softmax sum to 1: labels of which several or none hold at once are out of reach as well.
## Evidence
The activation that made the prediction, and the share of targets outside its range by more than 0.01, or how many labels
of one sample hold.
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
from torchclinic.vocabulary import REGRESSION_LOSSES

RULE = Rule("LOS007", "output-range-excludes-targets", "error", "exact", LossCall, __doc__)


def check(call: LossCall, *, share: float = 0.05) -> Iterator[Finding]:
    """`share`: above it the floor of a squared error is not explained by single outliers."""
    name = call.prediction.producer.rstrip("_")
    if call.function == "binary_cross_entropy" and name == "softmax" and call.prediction.requires_grad:
        yield from _competing(call)
    if call.function not in REGRESSION_LOSSES or name not in _OUTSIDE:
        return
    if call.prediction.shape != call.target.shape or not call.prediction.requires_grad:
        return
    outside = sum(getattr(call.target, name_) for name_ in _OUTSIDE[name])
    if not outside > share:
        return
    yield RULE.finding(
        f"{outside:.0%} of the targets (from {call.target.minimum:.3g} to {call.target.maximum:.3g}) lie outside the range of "
        f"`{name}`, which makes the prediction.",
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


def _competing(call: LossCall) -> Iterator[Finding]:
    """Probabilities that sum to 1, for labels of which several or none may hold."""
    low, high = call.target.row_sum_low, call.target.row_sum_high
    if call.prediction.shape[-1] < 2 or not (low < 0.5 or high > 1.5):
        return
    yield RULE.finding(
        f"The labels of a sample sum to {low:g} … {high:g}, and its probabilities to 1: `softmax` makes classes compete "
        f"that may hold together.",
        where=call.where,
        line=call.prediction.producer_line or call.line,
        step=call.step,
        evidence={"activation": "softmax", "least_labels": low, "most_labels": high},
        fix="`sigmoid` for each label, or raw outputs with `binary_cross_entropy_with_logits`.",
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
