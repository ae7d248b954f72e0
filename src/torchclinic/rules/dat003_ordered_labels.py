"""The training labels arrive sorted: each batch holds one class, or a few neighbouring ones.

## What it means
The data lie class by class on disk and nothing shuffles them. Each step pulls the network to the class at hand and
away from all others; at the end it knows the last class.
## Evidence
`agreement`: how often two labels of one batch are equal; `expected`: how often two labels of the run are;
`ascending`: batches of several classes whose labels ascend from row to row.
## When this is fine
Samplers that draw by class on purpose (metric learning), tasks met one after the other with several classes each.
## Fix
`DataLoader(..., shuffle=True)`, or a permutation of the rows in each epoch.
## References
Bengio 2012, arXiv:1206.5533, section 2 (the order of examples); Bottou 2012, "Stochastic Gradient Descent Tricks".
"""

from collections.abc import Iterator
from itertools import zip_longest

from torchclinic.observe.records import LabelBatch, LabelStream
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided

RULE = Rule("DAT003", "ordered-labels", "error", "window", LabelStream, __doc__, needs=("class labels",))


def check(
    record: LabelStream, *, least_batches: int = 8, least_rows: int = 4, pure: float = 0.9, mixed: float = 0.75
) -> Iterator[Finding]:
    """Shuffled, agreement is what is expected, up to 1/√rows. `pure` asks for batches of one class but for the one at a
    border, `mixed` for classes that shuffling could not have kept apart; of labels in row order chance makes one batch in
    more than a thousand (8 rows of two classes: 9 orders of 256)."""
    batches = [batch for batch in record.batches if sum(batch.counts) >= least_rows]
    if len(batches) < least_batches:
        raise Undecided(f"labels of {len(batches)} training batches of {least_rows} rows or more were seen")
    if record.several or record.optimizers > 1:
        raise Undecided("labels of several losses or optimizers meet in one step; their order says nothing")
    agreement = sum(map(_pairs, batches)) / sum(n * (n - 1) for n in (sum(b.counts) for b in batches))
    totals = [sum(column) for column in zip_longest(*(b.counts for b in batches), fillvalue=0)]
    expected = sum(n * n for n in totals) / sum(totals) ** 2
    several = [batch for batch in batches if sum(n > 0 for n in batch.counts) > 1]
    ascending = sum(batch.ascending for batch in several)
    sorted_rows = len(several) >= least_batches // 2 and ascending == len(several) and agreement > 2 * expected
    if expected <= mixed and (agreement >= pure or sorted_rows):
        yield RULE.finding(
            f"Labels arrive in order: two labels of the same batch are equal in {100 * agreement:.0f} % of the pairs, two "
            f"labels of the run in {100 * expected:.0f} %.",
            line=record.line,
            step=batches[0].step,
            evidence={"agreement": agreement, "expected": expected, "batches": len(batches), "ascending": ascending},
            fix="Shuffle: DataLoader(..., shuffle=True), or a new permutation of the rows in every epoch.",
        )


def _pairs(batch: LabelBatch) -> int:
    return sum(n * (n - 1) for n in batch.counts)


_SCRIPT = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
y = torch.arange(96) // 24
x = torch.randn(96, 4) + y[:, None]
model = nn.Linear(4, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for xb, yb in DataLoader(TensorDataset(x, y), batch_size=8, shuffle=SHUFFLE):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(xb), yb).backward()
    optimizer.step()
"""


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("SHUFFLE", "False"))


def healthy() -> Specimen:
    return Specimen(_SCRIPT.replace("SHUFFLE", "True"))
