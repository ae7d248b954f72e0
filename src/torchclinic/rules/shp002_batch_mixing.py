"""In eval mode the output for one sample depends on the other samples of the batch.

## What it means
Somewhere the batch is taken for another dimension: a `view` that was meant as a `permute`, a softmax over dimension 0,
a batch read as time by a layer that expects time first. The network may train a little; a single sample, or a batch of
another size, gets another answer.
## Evidence
`change` of the outputs of the first and the last of `rows` samples when only the samples between them are replaced, as
a share of how much the outputs of samples differ. The line is that of the first call whose result for them changes, or
of the reshape before it that gave the batch dimension another size.
## When this is fine
Models whose first dimension is not the batch (time first), that compare samples on purpose, that normalize by the batch
in eval mode, or that see one fixed set of rows in every step (graphs). There the rule abstains. It looks at two batches.
## Fix
`permute`/`transpose` instead of `view`; `dim=1` (or -1) for softmax; `batch_first=True`.
## References
A. Karpathy, "A Recipe for Training Neural Networks", 2019 (dependence charted by backpropagation).
"""

from collections.abc import Iterator

from torchclinic.observe.records import EvalPass
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided

RULE = Rule("SHP002", "batch-mixing", "error", "probe", EvalPass, __doc__)


def check(record: EvalPass, *, least_change: float = 0.01) -> Iterator[Finding]:
    """`least_change`: rounding, the only honest reason for a change, stays below 1e-3 of the spread by construction."""
    if record.mixing_reason:
        raise Undecided(f"{record.model}: {record.mixing_reason}")
    if not record.mixing > least_change or (record.step > 0 and not record.fresh):
        return
    if record.other_batch and not record.labelled:
        raise Undecided(f"{record.model} mixes along its first dimension, but {record.other_batch} may be the batch")
    if record.step == 0:  # a graph's nodes mix by right, and are the same in every step
        return
    yield RULE.finding(
        f"In eval mode {record.model}'s output for a sample changes by {record.mixing:.2g} of the spread between samples "
        f"when only other samples of the batch are replaced.",
        line=record.mixing_line or record.line,
        step=record.step,
        evidence={"change": record.mixing, "rows": record.rows, "output": record.example},
        fix="Find where the batch dimension is lost: a view used as a permute, softmax with dim=0, batch_first missing.",
    )


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.score, self.last = nn.Linear(6, 1), nn.Linear(6, 2)

    def forward(self, x):
        weight = self.score(x).softmax(DIM)
        return self.last((weight * x).sum(1))


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(8):
    x = torch.randn(16, 5, 6)
    y = (x[:, 0, 0] > 0).long()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """Attention over the batch."""
    return Specimen(_SCRIPT.replace("DIM", "0"))


def healthy() -> Specimen:
    """Attention over the positions."""
    return Specimen(_SCRIPT.replace("DIM", "1"))
