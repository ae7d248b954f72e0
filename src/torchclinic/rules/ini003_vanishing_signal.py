"""The signal shrinks with depth far below what a correct initialization gives.

## What it means
After enough layers every sample looks the same, and the gradient, which takes the same factors, is gone.
## Evidence
`log_change` of the mean square from the first to the last of `layers` layers that no normalization, sum or
unknown operation separates, against `limit`.
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

RULE = Rule("INI003", "vanishing-signal", "error", "probe", Propagation, __doc__, follows=("DAT001",))
picture = signal


def check(record: Propagation, *, deviations: float = 4.0, min_factor: float = 1e6) -> Iterator[Finding]:
    """`deviations`: how many of theory's at finite width a correct initialization is allowed; `min_factor`: below it
    (amplitude 10³, half of float32's digits) optimizers still cope, as they do with PyTorch's defaults in six layers."""
    for drift in drifts(record):
        limit = max(drift.limit(deviations), math.log(min_factor))
        if -drift.log_change > limit:
            yield drift.finding(RULE, "shrinks", limit)


def sick() -> Specimen:
    """Weights of standard deviation 0.01 in 12 layers of 64."""
    return Specimen(changed(DEEP, ("kaiming_normal_(layer.weight)", "normal_(layer.weight, 0.0, 0.01)")))


def healthy() -> Specimen:
    """The same with √(2 / 64)."""
    return Specimen(DEEP)
