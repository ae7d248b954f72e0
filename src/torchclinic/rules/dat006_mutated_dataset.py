"""Samples are changed in place, in the memory of the data set.

## What it means
A slice or an element of a data tensor is a view. Normalizing or augmenting it in place changes the data set itself; in
the next epoch the change is applied again.
## Evidence
An arithmetic in-place operation on a view of a larger tensor whose result is fed to a model, and how often.
## When this is fine
Filling a preallocated buffer (copying, not arithmetic); an in-place operation on a tensor of its own.
## Fix
Write `x = x - mean` in place of `x -= mean`, or `clone()` the sample first.
## References
PyTorch documentation, Tensor views.
"""

from collections.abc import Iterator

from torchclinic.observe.records import MutatedData
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("DAT006", "mutated-dataset", "error", "exact", MutatedData, __doc__)


def check(data: MutatedData, *, times: int = 2) -> Iterator[Finding]:
    """`times`: a single change may prepare the data once."""
    if not data.feeds_model or data.times < times:
        return
    yield RULE.finding(
        f"`{data.operation}` changes a piece {data.shape} of a larger tensor {data.base_shape} in place, {data.times} times in "
        "the observed steps, and the result is fed to the model.",
        line=data.line,
        step=data.step,
        evidence={"times": data.times, "piece": str(data.shape), "whole": str(data.base_shape)},
        fix="Use the operation that returns a new tensor (`x = x - mean`), or `clone()` first.",
    )


def sick() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("    optimizer.zero_grad()", "    xb -= 0.1\n    optimizer.zero_grad()")))


def healthy() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("    optimizer.zero_grad()", "    xb = xb - 0.1\n    optimizer.zero_grad()")))
