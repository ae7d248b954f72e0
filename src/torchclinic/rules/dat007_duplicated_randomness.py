"""Loader workers draw the same random numbers: their augmentations are copies of each other.

## What it means
Workers are forked copies of the process. A generator kept in the data set, or a seed set in `worker_init_fn`, is the
same in all of them, and each epoch forks anew: the data are varied less than it seems, and in a pattern.
## Evidence
`alike` of `workers` began with the same state of `source`, and drew from it while they made their first batches.
## When this is fine
Data sets that are iterated and split by worker, which may need one common order: they are not looked at. A state that
nobody draws from.
## Fix
Draw from torch's generator, or from one made in the worker: `np.random.default_rng(torch.initial_seed())`.
## References
PyTorch documentation, `torch.utils.data`, "Randomness in multi-process data loading".
"""

from collections.abc import Iterator

from torchclinic.observe.records import WorkerRandomness
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("DAT007", "duplicated-randomness", "warning", "exact", WorkerRandomness, __doc__, needs=("loader workers",))


def check(record: WorkerRandomness) -> Iterator[Finding]:
    if record.alike > 1:
        yield RULE.finding(
            f"{record.alike} of {record.workers} loader workers draw the same numbers, from {record.source}.",
            line=record.line,
            evidence={"alike": record.alike, "workers": record.workers, "source": record.source},
            fix="Seed each worker differently: worker_init_fn with torch.initial_seed(), or torch's own generator.",
        )


_SCRIPT = """
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset):
    def __init__(self):
        self.x, self.y = torch.randn(64, 4), torch.randint(0, 3, (64,))

    def __len__(self):
        return 64

    def __getitem__(self, index):
        return self.x[index] + 0.1 * float(np.random.randn()), self.y[index]


torch.manual_seed(0)
model = nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for x, y in DataLoader(Noisy(), 8, num_workers=2, worker_init_fn=SEED):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("SEED", "lambda worker: np.random.seed(0)"))


def healthy() -> Specimen:
    return Specimen(_SCRIPT.replace("SEED", "lambda worker: np.random.seed(worker)"))
