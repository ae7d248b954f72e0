"""The module inside a data-parallel wrapper is called directly, so its gradients are not averaged over the ranks.

## What it means
`DistributedDataParallel` prepares the averaging of gradients in its own forward. A forward of `model.module` trains each
rank on its own data alone; the ranks drift apart, and only one of them is saved.
## Evidence
`steps` whose gradients came from forwards of the inner module, `wrapped_calls` of the wrapper: none; `replicas`.
## When this is fine
Evaluation through `.module`, which needs no averaging, and auxiliary passes beside training passes through the wrapper.
## Fix
Call the wrapper: `model(x)`, not `model.module(x)` nor the module it was made from.
## References
Li et al. 2020, arXiv:2006.15704.
"""

from collections.abc import Iterator

from torchclinic.observe.records import WrapperBypass
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen

RULE = Rule("DST004", "bypassed-wrapper", "error", "exact", WrapperBypass, __doc__, needs=("several processes",))


def check(record: WrapperBypass) -> Iterator[Finding]:
    if record.wrapped_calls:
        return
    yield RULE.finding(
        f"{record.model} is trained without its {record.wrapper}: {record.steps} observed steps used gradients of the inner "
        f"module, none went through the wrapper ({record.replicas} ranks).",
        line=record.line,
        step=record.step,
        evidence={"steps": record.steps, "wrapped_calls": record.wrapped_calls, "replicas": record.replicas},
        fix="Call the wrapper itself in training: `model(x)`, not `model.module(x)`.",
    )


_SCRIPT = """
import tempfile
import torch
import torch.distributed as dist
from torch import nn

torch.manual_seed(0)
with tempfile.TemporaryDirectory() as folder:
    dist.init_process_group("gloo", store=dist.FileStore(folder + "/store", 1), rank=0, world_size=1)
    model = nn.parallel.DistributedDataParallel(nn.Linear(4, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(4):
        x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    dist.destroy_process_group()
"""


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("cross_entropy(model(x)", "cross_entropy(model.module(x)"))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)
