"""Cross-entropy is fed probabilities: softmax is applied twice.

## What it means
`cross_entropy` applies log-softmax itself. On probabilities p in [0, 1] it can at best see one 1 and C-1 zeros, so the
loss cannot fall below log(1 + (C-1)/e), and gradients are damped by the inner softmax.
## Evidence
Every row of the input is non-negative and sums to 1 (`row_sum`), over the whole batch; `loss_floor`.
## When this is fine
Never: probabilities belong into `nll_loss` after a log, logits into `cross_entropy`. A single class is LOS004.
## Fix
Remove the softmax before the loss; apply it only where probabilities are shown.
## References
PyTorch documentation, `torch.nn.CrossEntropyLoss`; floor: -log(e / (e + C - 1)).
"""

import math
from collections.abc import Iterator

from torchclinic.observe.records import LossCall
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import without
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("LOS001", "softmax-before-cross-entropy", "error", "exact", LossCall, __doc__, needs=("cross-entropy",))
correct = without("softmax")


def check(call: LossCall, *, tolerance: float = 4e-3) -> Iterator[Finding]:
    """`tolerance`: the rounding of a row sum of bfloat16 probabilities is 2^-8; float32 stays below 1e-5."""
    if call.function != "cross_entropy" or call.classes < 2:
        return
    p = call.prediction
    off = max(abs(p.row_sum_low - 1), abs(p.row_sum_high - 1))
    if not (off <= (tolerance if "16" in p.dtype else 1e-4) and p.minimum >= 0):
        return
    floor = math.log(1 + (call.classes - 1) / math.e)
    made = f" They come from `{p.producer}`." if "softmax" in p.producer else ""
    yield RULE.finding(
        f"`cross_entropy` receives probabilities: every row is non-negative and sums to 1. With {call.classes} classes "
        f"the loss cannot fall below {floor:.3f}.{made}",
        where=call.where,
        line=p.producer_line if "softmax" in p.producer else call.line,
        step=call.step,
        evidence={
            "row_sum": round(p.row_sum_high, 6),
            "smallest": p.minimum,
            "classes": call.classes,
            "loss_floor": floor,
            "loss": call.value,
            "loss_line": call.line,
        },
        fix="Pass the logits: remove the softmax before the loss.",
    )


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("model(x[i]), y", "model(x[i]).softmax(dim=1), y"))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = """
import torch

torch.manual_seed(0)
x, y = torch.randn(6, 8, 4), torch.randint(0, 3, (6, 8))
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for i in range(6):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(x[i]), y[i]).backward()
    optimizer.step()
"""
