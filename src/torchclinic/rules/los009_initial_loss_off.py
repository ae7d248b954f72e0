"""The first loss of an untrained classifier is far above log C.

## What it means
Before the first step nothing is known, and a network that admits it has loss log C. A much larger first loss means
confident wrong predictions: too large an initialization, unscaled inputs, or labels that do not fit.
## Evidence
The first loss, log C, and the spread of the logits. The excess over log C is the mean log-odds against the right class,
compared with guessing; above 6 the right class gets on average less than 1/400 of its share. For independent Gaussian
logits with variance s² the excess is s²/2 for small s: unit-variance weights written by hand in a narrow network stay
below 6, and so do all of PyTorch's defaults.
## When this is fine
Below log C: a trained or pretrained network. A tied embedding (its N(0, 1) rows make large logits in every language
model of that kind), logits that the script multiplies by a factor (cosine heads, temperatures) and weighted losses are
not judged.
## Fix
Scale the last layer's initialization down, normalize the inputs.
## References
E(logsumexp) of Gaussian logits: log C + s²/2 (moment generating function); Karpathy 2019, A recipe for training neural
networks, "verify loss @ init".
"""

import math
from collections.abc import Iterator

from torchclinic.observe.records import LossCall
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

CAUSES = ("DAT001", "DAT008", "LOS001", "LOS003", "LOS005", "SHP001", "INI004", "INI006", "INI007")
RULE = Rule("LOS009", "initial-loss-off", "warning", "exact", LossCall, __doc__, follows=CAUSES, needs=("cross-entropy",))


def check(call: LossCall, *, excess: float = 6.0) -> Iterator[Finding]:
    """`excess`: see Evidence."""
    if call.function != "cross_entropy" or not call.untrained or not call.training or call.tied or call.classes < 2:
        return
    if call.prediction.producer in ("mul", "div"):  # scaled by hand: cosine heads, temperatures
        return
    if call.options.get("reduction") != "mean" or call.options.get("weighted") or not call.prediction.finite:
        return
    expected = math.log(call.classes)
    if not call.value > expected + excess:
        return
    spread = call.prediction.maximum - call.prediction.minimum
    yield RULE.finding(
        f"The first loss is {call.value:.3g}; an untrained network with {call.classes} classes starts near log C = "
        f"{expected:.3g}. The logits range over {spread:.3g}.",
        where=call.where,
        line=call.line,
        step=call.step,
        evidence={"first_loss": call.value, "log_classes": expected, "logit_range": spread, "classes": call.classes},
        fix="Shrink the initialization of the last layer or normalize the inputs, until the first loss is about log C.",
    )


def sick() -> Specimen:
    return Specimen(
        changed(CLASSIFIER, ("optimizer = ", "nn.init.normal_(model[2].weight, std=30.0)\noptimizer = "), ("lr=0.05", "lr=1e-4"))
    )


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
