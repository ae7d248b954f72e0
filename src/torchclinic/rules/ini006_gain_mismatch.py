"""The variance of the weights does not fit the activations that follow, and nothing repairs it.

## What it means
Each layer multiplies the mean square by fan_in · E[w²] / gain². Off by a little, a deep stack is off by a lot:
Xavier before ReLU halves at every layer; N(0, 1) multiplies by fan_in / 2.
## Evidence
`factor`, the product over `layers` layers; `worst`, the factor of the worst layer.
## When this is fine
Shallow networks: PyTorch's default (1/6 per ReLU layer) is harmless in a few layers, and so is one layer of small
weights. Layers before a normalization, and those that a skip connection or another branch passes by, are not counted; nor
are factors multiplied across a sum or a joining: the blocks of a residual network, the steps of a recurrent cell.
## Fix
`tc.initialize(model)`: standard deviation gain / √fan_in.
## References
He et al. 2015, arXiv:1502.01852, eq. 10 and section 2.2; Glorot and Bengio 2010, PMLR 9, eq. 16.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

from torchclinic.instruments.layer_signal import LayerSignal, Propagation
from torchclinic.report.model import Finding
from torchclinic.rules.drift import unbroken
from torchclinic.rules.pictures import signal
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import DEEP, changed

SCALE_FREE = ("relu", "leaky_relu", "prelu")  # the factors of the others depend on the signal, and do not multiply up
FADING = (*SCALE_FREE, "tanh", "gelu", "silu", "elu", "selu", "softsign", "hardswish", "mish")  # ... but do downwards
CAUSES = ("INI003", "INI004", "INI002", "INI001")
RULE = Rule("INI006", "gain-mismatch", "warning", "exact", Propagation, __doc__, follows=CAUSES)
picture = signal


def check(record: Propagation, *, max_factor: float = 1e6, max_layer_factor: float = 100.0) -> Iterator[Finding]:
    """`max_factor`: amplitude off by 10³, half of float32's digits; `max_layer_factor`: too large by 10 within one layer,
    which saturates what follows or makes the outputs large at once. Small signals fade from layer to layer only."""
    runs = [run for rows in unbroken(record, through="pool") if (run := _log_factors(rows))] if record.step == 0 else []
    if not runs:
        return
    worst, largest = max(((layer, value) for run in runs for layer, value in run.items()), key=lambda pair: pair[1])
    if largest > math.log(max_layer_factor):
        logs = next(run for run in runs if worst in run)
    else:
        logs = max(runs, key=lambda run: abs(_total(record, run, max_factor)))
        worst = max(logs, key=lambda layer: abs(logs[layer]))
    total = _total(record, logs, max_factor)
    if abs(total) > math.log(max_factor) or largest > math.log(max_layer_factor):
        yield RULE.finding(
            f"Over {len(logs)} layers the weights miss the gain of their activations by a factor {math.exp(total):.3g} "
            f"in mean square; {worst} alone by {math.exp(logs[worst]):.3g}.",
            where=worst,
            line=record[worst].line,
            step=record.step,
            evidence={"factor": math.exp(total), "layers": len(logs), "worst": math.exp(logs[worst])},
            fix="tc.initialize(model): standard deviation gain / √fan_in.",
        )


def _log_factors(rows: list[LayerSignal]) -> dict[str, float]:
    """By how much the weights of each layer miss the gain in mean square, where that says something."""
    return {
        row.layer: math.log(row.fan_in * row.weight_mean_square / row.gain**2)
        for row, after in pairwise((*rows, None))
        if row is not None and row.role == "linear" and row.gain and row.fan_in and row.weight_mean_square
        if not (row.normalized or row.in_branch or row.bypassed)
        if after is None or after.role != "scale"  # a factor of the user's own
    }


def _total(record: Propagation, run: dict[str, float], max_factor: float) -> float:
    """Over a run; saturating functions count where the signal fades."""
    total, fading = (
        sum(value for layer, value in run.items() if record[layer].followed_by.startswith(kinds)) for kinds in (SCALE_FREE, FADING)
    )
    return fading if abs(total) <= math.log(max_factor) and fading < 0 else total


_DEEPER = changed(DEEP, ("range(12)", "range(24)"))


def sick() -> Specimen:
    """Xavier before 24 ReLUs."""
    return Specimen(changed(_DEEPER, ("kaiming_normal_", "xavier_normal_")))


def healthy() -> Specimen:
    """He before the same."""
    return Specimen(_DEEPER)
