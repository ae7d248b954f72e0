"""`view` cannot express the wanted shape on this layout.

## What it means
A view only reinterprets strides. After `transpose`, `permute` or slicing, the dimensions that are to be merged are not
adjacent in memory.
## Evidence
The error, its line, and the operation that raised it.
## When this is fine
Never: the script stopped.
## Fix
`reshape`, which copies when it must, or `contiguous()` before `view`; or merge the dimensions before permuting them.
## References
PyTorch documentation, `torch.Tensor.view`, condition on strides.
"""

from collections.abc import Iterator

from torchclinic.observe.records import RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("SHP004", "incompatible-view", "error", "exact", RunRecord, __doc__)


def check(run: RunRecord) -> Iterator[Finding]:
    failure = run.failure
    if failure is None or "view size is not compatible" not in failure.message:
        return
    yield RULE.finding(
        f"`view` failed: {failure.message.split('.')[0]}.",
        line=failure.line,
        step=run.steps,
        evidence={"error": failure.kind, "message": failure.message},
        fix="Use `.reshape(...)` in place of `.view(...)`; `torchclinic.explain_view` says why.",
    )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, (".reshape(8, 4)", ".view(8, 4)")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(CLASSIFIER, ("model(xb)", "model(xb.t().reshape(8, 4))"))
