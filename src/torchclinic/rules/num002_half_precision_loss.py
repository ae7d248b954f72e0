"""Half precision loses the gradients or the updates, and no scaler or master copy prevents it.

## What it means
float16 has no normal numbers below 6.1e-5 and nothing below 6e-8: small gradients lose their digits, then vanish. A
weight kept in half precision swallows every update smaller than half of its last digit: `w + update == w`.
## Evidence
`kind` gradient: `lost` of `elements` entries lie below the smallest normal float16 (among those that are not zero, if
there are any). `kind` layer: `lost` entries of single matrices are zero, and half of the others at most four times the
smallest number there is, 6e-8: what is smaller by a little is gone. `kind` update: `lost` of
`elements` weights with a gradient are bitwise the same after the step. `steps` in which nine tenths were lost.
## When this is fine
bfloat16 autocast has float32's range and needs no scaler; float16 with a `GradScaler`; large gradients, few small ones.
## Fix
`torch.amp.GradScaler` with float16 autocast, or bfloat16; weights kept in float32 (autocast instead of `model.half()`).
## References
Micikevicius et al. 2018, arXiv:1710.03740, sections 3.1 (master weights) and 3.2 (loss scaling).
"""

from collections.abc import Iterator

from torchclinic.observe.records import HalfUse
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("NUM002", "half-precision-loss", "error", "window", HalfUse, __doc__)


def check(record: HalfUse, *, least_share: float = 0.9, least_steps: int = 5) -> Iterator[Finding]:
    """`least_share` of the elements are lost in `least_share` of the steps: what is left cannot be called a gradient."""
    if record.steps < least_steps or record.step_share < least_share or not record.elements:
        return
    if record.scaled and record.kind != "update":
        return
    share = 100 * record.lost / record.elements
    if record.kind != "update":
        message = f"{share:.0f} % of the gradient's entries are zero or below float16's smallest normal number, 6.1e-5; no scaler."
        if record.kind == "layer":
            message = (
                f"{share:.0f} % of the gradient's entries of {record.example} ({record.count} matrices like it) are zero, half "
                "of the others at most four times the smallest number of float16, 6e-8; no scaler."
            )
        fix = "Use torch.amp.GradScaler with float16, or bfloat16 autocast."
    else:
        message = f"{share:.0f} % of the {record.dtype} weights with a gradient do not change in a step: it is rounded away."
        fix = "Keep the weights in float32 and use autocast instead of model.half()."
    yield RULE.finding(
        message,
        line=record.line,
        where=record.example,
        step=record.step,
        evidence={"kind": record.kind, "lost": record.lost, "elements": record.elements, "steps": record.steps},
        fix=fix,
    )


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(80, 16, dtype=DTYPE)
y = x[:, :1] / 2
model = nn.Linear(16, 1).to(DTYPE)
with torch.no_grad():
    model.bias.fill_(1)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-5)
for start in range(0, 80, 8):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x[start : start + 8]), y[start : start + 8])
    loss.backward()
    optimizer.step()
"""


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("DTYPE", "torch.bfloat16"))


def healthy() -> Specimen:
    return Specimen(_SCRIPT.replace("DTYPE", "torch.float32"))
