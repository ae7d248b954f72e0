"""A reshape copies a large tensor at every step.

## What it means
`reshape`, `flatten` and `contiguous` return a view where the layout allows it and a copy where it does not. The copy
costs memory traffic, forward and backward.
## Evidence
Bytes per call, counted where input and output do not share memory; calls and steps on this line.
## When this is fine
Where another layout is needed for speed (attention heads, channels last). It is worth knowing, never an alarm.
## Fix
Permute once, outside the loop; or choose the order of dimensions so that those to be merged are adjacent.
## References
PyTorch documentation, `torch.reshape`.
"""

from collections.abc import Iterator

from torchclinic.observe.records import SilentCopy
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import changed
from torchclinic.units import format_nbytes

RULE = Rule("SHP006", "silent-copy", "info", "exact", SilentCopy, __doc__)


def check(copy: SilentCopy, *, min_steps: int = 3) -> Iterator[Finding]:
    """`min_steps`: a copy at every step, not one of the preparation."""
    if copy.steps < min_steps:
        return
    yield RULE.finding(
        f"`{copy.operation}` copies {format_nbytes(copy.nbytes)} each time it is called ({copy.calls} calls in {copy.steps} "
        "observed steps).",
        line=copy.line,
        evidence={"bytes_per_call": copy.nbytes, "calls": copy.calls, "steps": copy.steps, "shape": str(copy.shape)},
        fix="Reorder the dimensions once, before the loop, or merge dimensions that are adjacent in memory.",
    )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("x = big", "x = big.t()")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
big = torch.randn(600, 600)
model = nn.Linear(600, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x = big
for i in range(6):
    optimizer.zero_grad()
    model(x.reshape(-1).view(600, 600)).square().mean().backward()
    optimizer.step()
"""
