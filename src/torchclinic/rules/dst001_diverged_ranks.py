"""Parameters differ between data-parallel ranks.

## What it means
Averaged gradients keep ranks equal only if they start equal and take the same steps. Ranks that differ train different
models: a gradient computed at one set of weights is applied to another, and only one of them is saved.
## Evidence
`differing` of `parameters` on `rank` beside rank 0 at the last common look; `step`: the first such look; `shared`: those
with the same gradient on both ranks after an exchange; `difference`: of the example, as a share of its largest element.
Each rank notes 16 elements of each parameter before some steps; differences of rounding are not counted.
## When this is fine
Only what is meant to be equal is judged. That is: (1) a parameter with the same, not constant, gradient on ranks that hold
different values, after a collective: gradients were exchanged; (2) a parameter under DistributedDataParallel; (3) all, if a
DistributedSampler deals the data out. Ranks equal again at a later look average their parameters (local SGD). Different
names or shapes are model parallel. Undecided, never an error: differences that no sign says are wrong (independent runs, a
sweep, shards, experts, a part left out of the exchange by hand), and exchanges unlooked at in (2) and (3).
## Fix
Same initial weights on all ranks (DistributedDataParallel broadcasts them), then the average of gradients in every step.
## References
Li et al. 2020, arXiv:2006.15704, section 2.2.
"""

from collections.abc import Iterator

from torchclinic.observe.records import ReplicaComparison
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import changed

RULE = Rule(
    "DST001", "diverged-ranks", "error", "exact", ReplicaComparison, __doc__, follows=("DST004",), needs=("several processes",)
)


def check(record: ReplicaComparison) -> Iterator[Finding]:
    if record.differing and not record.rejoined:
        if not record.shared and record.unseen:
            raise Undecided("the ranks differ, and not every exchange between them was followed by a look at the parameters")
        if not record.shared and not record.wrapped and not (record.divided and record.differing == record.parameters):
            raise Undecided(
                f"{record.differing} of {record.parameters} parameters differ between the ranks ({record.example}), and "
                "nothing shows that they are to be equal: independent runs and local parts are not judged"
            )
        yield _finding(record)
    elif record.missing:
        raise Undecided(f"the notes of {record.missing} of {record.replicas} ranks could not be read")


def _finding(record: ReplicaComparison) -> Finding:
    why = "although the same gradients are applied to them" if record.shared else "and no exchange makes them equal"
    fix = "Average the gradients over the ranks in every step: call the DistributedDataParallel wrapper itself in training."
    if record.shared:
        fix = "Give all ranks the same initial weights (broadcast them, or wrap in DistributedDataParallel) and settings."
    return RULE.finding(
        f"{record.differing} of {record.parameters} parameters of rank {record.rank} differ from those of rank 0, {why}: "
        f"{record.example} by {record.difference:.2g} of its size.",
        where=record.example,
        line=record.line,
        step=record.step,
        evidence={"differing": record.differing, "parameters": record.parameters, "shared": record.shared}
        | {"rank": record.rank, "replicas": record.replicas, "difference": record.difference, "step": record.step},
        fix=fix,
    )


_SCRIPT = """
import torch
import torch.distributed as dist
from torch import nn

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
torch.manual_seed(1 + rank)
for _ in range(6):
    x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    for parameter in model.parameters():
        dist.all_reduce(parameter.grad)
        parameter.grad /= 2
    optimizer.step()
dist.destroy_process_group()
"""


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("manual_seed(0)", "manual_seed(rank)")), ranks=2)


def healthy() -> Specimen:
    return Specimen(_SCRIPT, ranks=2)
