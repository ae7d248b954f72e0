"""A view renames dimensions where it was to exchange them: the values are scrambled.

## What it means
`view` and `reshape` keep the elements in their order. From (batch, time, channel) to (batch, channel, time) they fill the
channels with pieces of time; from (batch, heads, time, depth) to (batch, time, heads·depth) they mix heads and times. Each
sample keeps its numbers, and what belonged together is torn apart.
## Evidence
The shape before and after, the batch in its place: dimensions are merged or split that are no neighbours in the order they
have, and would be in another; the `order` that `permute` would need.
## When this is fine
A dimension of one that moves; a tensor whose dimensions were named by a view just before; sizes that agree by accident,
where a group of elements is cut anew on purpose: then write `flatten` and `unflatten`, which say so.
## Fix
`x.transpose(1, 2)` or `x.permute(0, 3, 1, 2)`.
## References
PyTorch documentation, `torch.Tensor.view` and `torch.permute`.
"""

import ast
from collections.abc import Iterator

from torchclinic.observe.records import AxesRenamed
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.script.statements import Statement, name_of

RULE = Rule("SHP008", "view-as-transpose", "error", "exact", AxesRenamed, __doc__)


def check(record: AxesRenamed, *, least: int = 2) -> Iterator[Finding]:
    """`least`: calls on one line; a single one may be a step of preparing data."""
    if record.calls < least:
        return
    order, same = ", ".join(map(str, record.order)), len(record.before) == len(record.after)
    yield RULE.finding(
        f"`{record.operation}` makes {record.after} of {record.before} as if the dimensions lay in another order, but no "
        f"element moves: values of different dimensions are mixed up.",
        where=record.where,
        line=record.line,
        step=record.step,
        evidence={"before": str(record.before), "after": str(record.after), "order": order if same else "", "calls": record.calls},
        fix=_fix(record, order),
    )


def _fix(record: AxesRenamed, order: str) -> str:
    if len(record.before) == len(record.after):
        return f"`.permute({order})` instead of `.{record.operation}(…)`."
    if len(record.before) > len(record.after):
        return f"`.permute({order})` first, then `.reshape{record.after}`."
    named = tuple(record.after[i] for i in record.order)
    back = ", ".join(str(record.order.index(i)) for i in range(len(record.order)))
    return f"`.view{named}` first, then `.permute({back})`."


def correct(statement: Statement, finding: Finding) -> str | None:
    order = finding.evidence.get("order", "")
    for call in statement.calls():
        if name_of(call) in ("view", "reshape") and isinstance(call.func, ast.Attribute) and call.args and order:
            inner = call.func.value
            if not (isinstance(inner, ast.Name) and inner.id == "torch"):
                return statement.edited((call, f"{statement.text(inner)}.permute({order})"))
    return None


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv1d(3, 8, 3, padding=1), nn.Linear(8, 2)

    def forward(self, x):
        x = x.view(x.shape[0], 3, 10)
        return self.head(self.conv(x).relu().mean(2))

model = Net()
x, y = torch.randn(64, 10, 3), torch.arange(64) % 2
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for start in range(0, 64, 16):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[start : start + 16]), y[start : start + 16]).backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """(batch, time, channel) viewed as (batch, channel, time)."""
    return Specimen(_SCRIPT)


def healthy() -> Specimen:
    """Transposed."""
    return Specimen(_SCRIPT.replace("x.view(x.shape[0], 3, 10)", "x.transpose(1, 2)"))
