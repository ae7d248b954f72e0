"""What the model is evaluated on has another scale or level than what it was trained on.

## What it means
The inputs are normalized in one place and not in the other, or with other constants. The model is asked about data it has
never seen the like of, and the reported accuracy says little of what it has learnt.
## Evidence
Mean and standard deviation over all numbers of the inputs, medians over the batches seen: `trained_mean`, `trained_spread`
and `evaluated_mean`, `evaluated_spread`.
## When this is fine
Noise or contrast that only training adds widens the spread there, at the same level: up to three times is left alone. So
are samples of fewer than 64 numbers, which may be tests of other values on purpose, and models one of whose evaluations
does look like training.
## Fix
One function for both: the same `transforms.Normalize`, or the mean and spread of the training set for every set.
## References
PyTorch documentation, transfer learning tutorial: the same normalization for `train` and `val`.
"""

from collections.abc import Iterator
from statistics import median

from torchclinic.observe.records import FedInputs
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("DAT010", "evaluation-scaled-differently", "error", "exact", FedInputs, __doc__, needs=("an evaluation",))


def check(
    record: FedInputs, *, offset: float = 0.75, wider: float = 2.5, narrower: float = 0.35, least: int = 3
) -> Iterator[Finding]:
    """Per-pixel constants move digits by 0.4 to 1.4 spreads and widen them 3.2 times, colour pictures 1.0 and 2 to 4 times,
    bytes 255 times; two random halves of one data set differ by a few hundredths."""
    if len(record.training) < least or not record.evaluation:
        return
    mean, spread = (median(values) for values in zip(*record.training, strict=True))
    if not spread > 0 or not all(_unlike(*batch, mean, spread, (offset, wider, narrower)) for batch in record.evaluation):
        return
    other_mean, other_spread = (median(values) for values in zip(*record.evaluation, strict=True))
    yield RULE.finding(
        f"{record.model} is trained on inputs of mean {mean:.3g} and standard deviation {spread:.3g}, and evaluated on inputs of "
        f"mean {other_mean:.3g} and standard deviation {other_spread:.3g}.",
        line=record.line,
        step=record.step,
        evidence={"trained_mean": mean, "trained_spread": spread, "evaluated_mean": other_mean, "evaluated_spread": other_spread},
        fix="Prepare the inputs of training and evaluation by the same function, with the same constants.",
    )


def _unlike(mean: float, spread: float, usual: float, usual_spread: float, bounds: tuple[float, float, float]) -> bool:
    offset, wider, narrower = bounds
    apart = abs(mean - usual) > offset * max(usual_spread, spread)
    return apart or spread > wider * usual_spread or spread < narrower * usual_spread


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
pictures, y = torch.rand(160, 100) * 255, torch.arange(160) % 3
model = nn.Sequential(nn.Linear(100, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x = pictures / 255
for start in range(0, 120, 20):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[start : start + 20]), y[start : start + 20]).backward()
    optimizer.step()
with torch.no_grad():
    accuracy = (model(EVALUATED[120:]).argmax(1) == y[120:]).float().mean()
"""


def sick() -> Specimen:
    """Bytes are evaluated."""
    return Specimen(_SCRIPT.replace("EVALUATED", "pictures"))


def healthy() -> Specimen:
    """The same scale."""
    return Specimen(_SCRIPT.replace("EVALUATED", "x"))
