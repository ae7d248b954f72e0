"""The logits of a classification loss come straight out of a bounded or one-sided activation.

## What it means
Softmax of values in [0, 1] (sigmoid) or [-1, 1] (tanh) cannot become confident: with C classes the loss cannot fall
below log(1 + (C-1) e^-w), w the width of the range. After a ReLU negative evidence is cut off, and rows of zeros have
no gradient.
## Evidence
The operation that made the input, and the loss floor.
## When this is fine
A scaled bounded function (`30 * tanh(x / 30)`): the scaling makes the input, and nothing is reported.
## Fix
Remove the activation after the last layer.
## References
PyTorch documentation, `torch.nn.CrossEntropyLoss`: the input is expected to contain unnormalized logits.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from torchclinic.observe.records import LossCall
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import without
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("LOS003", "bounded-logits", "error", "exact", LossCall, __doc__, follows=("LOS001",), needs=("cross-entropy",))
correct = without("relu", "sigmoid", "tanh", "softmax")


def check(call: LossCall) -> Iterator[Finding]:
    p = call.prediction
    name = p.producer.rstrip("_")
    binary = call.function == "binary_cross_entropy_with_logits"
    if not (binary or (call.function == "cross_entropy" and call.classes > 1)) or (binary and name == "sigmoid"):
        return
    if name in _WIDTHS:
        width = _WIDTHS[name]
        floor = math.log(1 + math.exp(-1)) if binary else math.log(1 + (call.classes - 1) * math.exp(-width))
        said = f"the loss cannot fall below {floor:.3f}"
    elif name in ("relu", "relu6", "softplus", "threshold"):
        floor, said = 0.0, "negative evidence is cut off"
    else:
        return
    finding = RULE.finding(
        f"The logits of `{call.function}` come out of `{name}`: {said}.",
        where=call.where,
        line=p.producer_line or call.line,
        step=call.step,
        evidence={"producer": name, "loss_line": call.line, "classes": call.classes, "loss_floor": floor},
        fix=f"Remove the `{name}` after the last layer.",
    )
    yield finding if name in _WIDTHS else replace(finding, severity="warning")


_WIDTHS = {"sigmoid": 1.0, "tanh": 2.0, "hardsigmoid": 1.0, "hardtanh": 2.0, "softsign": 2.0}


def sick() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("nn.Linear(8, 3))", "nn.Linear(8, 3), nn.Sigmoid())")))


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
