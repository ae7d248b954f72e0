"""An in-place write goes to a tensor whose elements share memory.

## What it means
After `expand` (or `broadcast_to`) many elements are one number in memory: writing one of them writes all, and the
result depends on the order of the writes. PyTorch refuses some of these writes and performs others.
## Evidence
Shape and strides of the written tensor: a stride of 0 in a dimension larger than 1; how often the line wrote. The line is
the one that expanded the tensor, where that was seen.
## When this is fine
Never; reading an expanded tensor is what it is for. Filling all of it with one number is not reported.
## Fix
`.clone()` or `repeat` before writing.
## References
PyTorch documentation, `torch.Tensor.expand`: clone before writing in place.
"""

from collections.abc import Iterator

from torchclinic.observe.records import OverlappingWrite, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed
from torchclinic.script.statements import Statement

RULE = Rule("SHP005", "overlapping-write", "error", "exact", RunRecord, __doc__)


def check(run: RunRecord) -> Iterator[Finding]:
    message = run.failure.message if run.failure is not None else ""
    if writes := run.of(OverlappingWrite):
        first, spread = writes[0], writes[0].spread_line
        layout = f"shape {first.shape}, strides {first.strides}"
        made = f" It was expanded on {spread} and is written on {first.line}." if spread else ""
        yield _finding(first.operation, spread or first.line, first.step, layout, first.times, made)
    elif run.failure is not None and "refers to a single memory location" in message:
        operation = run.failure.operation or "in-place operation"
        yield _finding(operation, run.failure.line, run.steps, message.split(".")[0], 1, "")


def _finding(operation: str, line: str, step: int, what: str, times: int, made: str) -> Finding:
    return RULE.finding(
        f"`{operation}` writes in place to a tensor whose elements share memory ({what}): one write changes many elements.{made}",
        line=line,
        step=step,
        evidence={"operation": operation, "layout": what, "writes": times},
        fix="Call `.clone()` on the expanded tensor before writing to it.",
    )


def correct(statement: Statement, finding: Finding) -> str | None:
    """What is expanded gets memory of its own."""
    call = statement.called("expand", "expand_as", "broadcast_to")
    return statement.edited((call, f"{statement.text(call)}.clone()")) if call is not None else None


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, (".expand(8, 4).clone()", ".expand(8, 4)")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(
    CLASSIFIER,
    (
        "    optimizer.zero_grad()",
        "    mask = torch.ones(1, 4).expand(8, 4).clone()\n    mask[0, 1] = 0\n    optimizer.zero_grad()",
    ),
)
