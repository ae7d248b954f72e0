"""Prediction and target have different shapes, and the loss compares every prediction with every target.

## What it means
(N, 1) and (N,) broadcast to (N, N). The loss is then least when every prediction is the mean of the targets: it cannot
fall below their variance, and the outputs lose their spread.
## Evidence
The two shapes, and the shape they broadcast to; the number of compared pairs.
## When this is fine
One side is a single number, or a row that is meant for every sample: nothing is reported unless the result has more
elements than either side. Pairwise differences written with an inserted axis (`a[:, None] - b`) are not reported.
## Fix
Give both the same shape: `prediction.squeeze(1)`, or `target.unsqueeze(1)`.
## References
PyTorch documentation, Broadcasting semantics. Floor: E(y - c)^2 is least, and equal to Var(y), at c = E(y).
"""

from collections.abc import Iterator
from math import prod

from torchclinic.observe.records import Elementwise, LossCall, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import same_shape
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.vocabulary import REGRESSION_LOSSES

RULE = Rule("SHP001", "loss-broadcast", "error", "exact", RunRecord, __doc__)
correct = same_shape


def check(run: RunRecord) -> Iterator[Finding]:
    for loss in run.of(LossCall):
        left, right = loss.prediction.shape, loss.target.shape
        result = _broadcast(left, right)
        both = prod(result) > max(prod(left), prod(right))
        many = prod(right) > prod(left) and len(left) > 1 and left[:1] == result[:1]  # targets for each prediction
        if loss.function in _ELEMENTWISE and not loss.failed and result and (both or many):
            yield _finding(left, right, result, f"`{loss.function}`", loss.line, loss.step)
    for call in run.of(Elementwise):
        one_side = call.left_requires_grad != call.right_requires_grad
        if one_side and call.reduced and not call.comparison and not call.deliberate and call.function in _PAIRING:
            yield _finding(call.left, call.right, call.result, f"`{call.function}`", call.line, call.step)


_PAIRING = {"sub", "rsub", "mul"}
_ELEMENTWISE = REGRESSION_LOSSES | {"poisson_nll_loss", "soft_margin_loss", "kl_div"}
Shape = tuple[int, ...]


def _broadcast(a: Shape, b: Shape) -> Shape:
    n = max(len(a), len(b))
    a, b = (1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b
    return tuple(max(p, q) if 0 not in (p, q) else 0 for p, q in zip(a, b, strict=True))


def _finding(left: Shape, right: Shape, result: Shape, name: str, line: str, step: int) -> Finding:
    return RULE.finding(
        f"{name} broadcasts {left} and {right} to {result}: {prod(result):,} pairs are compared instead of "
        f"{min(prod(left), prod(right)):,}. The loss cannot fall below the variance of the targets.",
        line=line,
        step=step,
        evidence={"left": str(left), "right": str(right), "result": str(result)},
        fix="Make the shapes equal: `prediction.squeeze(-1)`, or `target.unsqueeze(-1)`.",
    )


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("model(x[i]).squeeze(1)", "model(x[i])"))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = """
import torch, warnings

warnings.simplefilter("ignore")
torch.manual_seed(0)
x, y = torch.randn(6, 8, 4), torch.randn(6, 8)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for i in range(6):
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(x[i]).squeeze(1), y[i]).backward()
    optimizer.step()
"""
