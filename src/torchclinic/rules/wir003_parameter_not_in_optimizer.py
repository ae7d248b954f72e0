"""A parameter receives gradients, and no optimizer updates it.

## What it means
It stays at its initial value while the rest of the network learns around it. Membership is decided by identity, not by
name or shape.
## Evidence
`parameters`: how many tensors and numbers are left out, of how many that receive gradients.
## When this is fine
A loaded (pretrained) part, or one that runs in eval mode, that is deliberately left out; then
`requires_grad_(False)` also saves its backward pass, and this is reported as information. Parameters stepped by an
earlier optimizer, or changed by hand in the script, are not reported; parameters of a stale optimizer are WIR004;
parameters of a module hidden in a plain list are WIR005.
## Fix
Give the optimizer the parameters of every part: `itertools.chain(a.parameters(), b.parameters())`, or one module that
holds them all.
## References
PyTorch documentation, `torch.optim`, Constructing it.
"""

from collections.abc import Iterator
from dataclasses import replace

from torchclinic.observe.records import ParameterRecord, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided

RULE = Rule("WIR003", "parameter-not-in-optimizer", "error", "exact", RunRecord, __doc__)


def check(run: RunRecord, *, min_steps: int = 2) -> Iterator[Finding]:
    """`min_steps`: an optimizer made for it may step less often than the first one; after two it would have moved."""
    if not any(optimizer.steps >= min_steps for optimizer in run.optimizers):
        raise Undecided("no optimizer took two steps")
    if any(optimizer.orphans for optimizer in run.optimizers):
        return
    left_out = [p for p in run.parameters if is_left_out(p) and p.model_steps >= min_steps]
    if not left_out:
        return
    numbers = sum(_numel(p) for p in left_out)
    trained = [p for p in run.parameters if p.owned]
    names = ", ".join(p.name for p in left_out[:4]) + (", …" if len(left_out) > 4 else "")
    finding = RULE.finding(
        f"{len(left_out)} parameters ({numbers:,} numbers) receive gradients but belong to no optimizer: {names}. "
        f"They stay at their initial values.",
        where=left_out[0].name,
        line=_nearest(run, left_out[0]),
        step=0,
        evidence={"left_out": len(left_out), "numbers": numbers, "in_optimizer": len(trained), "names": names},
        fix="Add them to the optimizer, or freeze them with `requires_grad_(False)` if they are not to learn.",
    )
    deliberate = all(p.loaded or p.evaluating for p in left_out)
    yield replace(finding, severity="info") if deliberate else finding


def _nearest(run: RunRecord, left_out: ParameterRecord) -> str:
    """The line of the optimizer that holds most of what stands nearest to the parameter by name; or of the first."""
    stepping = {optimizer.index: optimizer.line for optimizer in run.optimizers if optimizer.steps}
    part = left_out.name.partition(".")[0]
    owners = [p.owner for p in run.parameters if p.owner in stepping and p.name.partition(".")[0] == part]
    return stepping[max(owners, key=owners.count) if owners else next(iter(stepping))]


def is_left_out(p: ParameterRecord) -> bool:
    return p.is_parameter and p.registered and p.reached > 0 and not p.owned and p.unchanged and p.requires_grad


def _numel(p: ParameterRecord) -> int:
    numel = 1
    for size in p.shape:
        numel *= size
    return numel


def sick() -> Specimen:
    return Specimen(_SCRIPT.replace("[*encoder.parameters(), *head.parameters()]", "head.parameters()"))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = """
import torch

torch.manual_seed(0)
x, y = torch.randn(48, 4), torch.randint(0, 3, (48,))
encoder = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
head = torch.nn.Linear(8, 3)
optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.05)
for start in range(0, 48, 8):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(head(encoder(x[start : start + 8])), y[start : start + 8]).backward()
    optimizer.step()
"""
