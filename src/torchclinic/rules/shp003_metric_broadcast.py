"""Prediction and target broadcast in a comparison: the metric is nonsense.

## What it means
(N, 1) == (N,) gives (N, N): every prediction is compared with every target, and the accuracy counts chance agreements;
divided by N it can exceed 1.
## Evidence
Both shapes and the shape of the comparison, whose whole was summed or averaged.
## When this is fine
Pairwise masks (`labels[:, None] == labels`): an axis inserted on the same line, both sides from one tensor, or a result
that is not reduced as a whole.
## Fix
Give both the same shape before comparing.
## References
PyTorch documentation, Broadcasting semantics.
"""

from collections.abc import Iterator
from math import prod

from torchclinic.observe.records import Elementwise
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import same_shape
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("SHP003", "metric-broadcast", "error", "exact", Elementwise, __doc__)
correct = same_shape


def check(call: Elementwise) -> Iterator[Finding]:
    if not call.comparison or call.deliberate or not call.reduced:
        return
    yield RULE.finding(
        f"`{call.function}` compares {call.left} with {call.right}: {prod(call.result):,} pairs instead of "
        f"{prod(call.left):,}, and their sum is used as a metric.",
        where=call.where,
        line=call.line,
        step=call.step,
        evidence={"left": str(call.left), "right": str(call.right), "result": str(call.result)},
        fix="Give both the same shape: `.squeeze(1)` on one, or `.view_as(other)`.",
    )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("argmax(dim=1)", "argmax(dim=1, keepdim=True)")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = (
    CLASSIFIER
    + """
model.eval()
with torch.no_grad():
    correct = (model(x).argmax(dim=1) == y).sum().item()
print(correct / len(x))
"""
)
