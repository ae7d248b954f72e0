"""The signal grows with depth far beyond what a correct initialization gives.

## What it means
Activations and gradients grow by a factor per layer: the first step overflows or throws the weights far away.
## Evidence
`log_change` of the mean square from the first to the last of `layers` layers that no normalization, sum or
unknown operation separates, against `limit`. In a ReLU RNN, whose depth is time: that of the state in the slower half of
the sequence, twice.
## When this is fine
Networks whose later layers are rescaled by something the record does not show.
## Fix
`tc.initialize(model)`: variance gain² / fan_in for the activation in use; or a normalization between the layers.
## References
He et al. 2015, arXiv:1502.01852, eq. 7-10; spread at finite width: Hanin and Rolnick 2018, arXiv:1803.01719.
"""

import math
from collections.abc import Iterator

from torchclinic.instruments.layer_signal import Propagation
from torchclinic.report.model import Finding
from torchclinic.rules.drift import drifts
from torchclinic.rules.pictures import signal
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import DEEP, changed

RULE = Rule("INI004", "exploding-signal", "error", "probe", Propagation, __doc__)
picture = signal


def check(record: Propagation, *, deviations: float = 4.0, min_factor: float = 1e6) -> Iterator[Finding]:
    """`deviations`: how many of theory's at finite width a correct initialization is allowed; `min_factor`: below it
    (amplitude 10³, half of float32's digits) optimizers still cope, as they do with PyTorch's defaults in six layers.
    A state that only adds up its inputs grows by 4 at most when the time doubles: both halves must exceed 4 √min_factor."""
    for row in record if record.step == 0 else ():
        change, limit = 2 * math.log(max(min(row.growth or (1.0,)), 1.0)), math.log(16 * min_factor)
        if change > limit:
            yield RULE.finding(
                f"The mean square of the state of {row.layer} grows by a factor {math.exp(min(change, 700)):.3g} along the "
                f"sequence; adding up its inputs and a correct initialization stay within {math.exp(limit):.3g}.",
                where=row.layer,
                line=row.line,
                step=record.step,
                evidence={"log_change": change, "limit": limit, "first": row.layer},
                fix="Recurrent weights of spectral norm 1 (nn.init.orthogonal_, nn.init.eye_), or a tanh, LSTM or GRU.",
            )
    for drift in drifts(record):
        limit = max(drift.limit(deviations), math.log(min_factor))
        if drift.log_change > limit:
            yield drift.finding(RULE, "grows", limit)


def sick() -> Specimen:
    """Weights of standard deviation 1 in 12 layers of 64."""
    return Specimen(changed(DEEP, ("kaiming_normal_(layer.weight)", "normal_(layer.weight, 0.0, 1.0)")))


def healthy() -> Specimen:
    """The same with √(2 / 64)."""
    return Specimen(DEEP)
