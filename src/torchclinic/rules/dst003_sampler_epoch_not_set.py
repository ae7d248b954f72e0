"""A distributed sampler yields the same order in every epoch.

## What it means
`DistributedSampler` shuffles with seed + epoch, so that all ranks agree on the order. It does not count epochs itself:
without `set_epoch` every epoch has the same batches in the same order, and each rank the same part of the data.
## Evidence
`epochs` in which the sampler fed a training, and how many of them were `repeated`: its epoch was the one before.
## When this is fine
Samplers of an evaluation; `shuffle=False`. Neither is looked at.
## Fix
`sampler.set_epoch(epoch)` before each epoch.
## References
PyTorch documentation, `torch.utils.data.distributed.DistributedSampler`.
"""

from collections.abc import Iterator

from torchclinic.observe.records import SamplerUse
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("DST003", "sampler-epoch-not-set", "warning", "exact", SamplerUse, __doc__, needs=("a distributed sampler",))


def check(record: SamplerUse) -> Iterator[Finding]:
    if record.repeated:
        yield RULE.finding(
            f"The distributed sampler gave the same order in {record.repeated + 1} of {record.epochs} epochs: its epoch was "
            "not set.",
            line=record.line,
            evidence={"epochs": record.epochs, "repeated": record.repeated, "replicas": record.replicas},
            fix="Call sampler.set_epoch(epoch) before each epoch.",
        )


_SCRIPT = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

torch.manual_seed(0)
data = TensorDataset(torch.randn(96, 4), torch.randint(0, 3, (96,)))
sampler = DistributedSampler(data, num_replicas=2, rank=0)
loader = DataLoader(data, batch_size=8, sampler=sampler)
model = nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(3):
    sampler.set_epoch(epoch)
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
"""


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("    sampler.set_epoch(epoch)\n", ""))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)
