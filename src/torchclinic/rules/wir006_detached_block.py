"""Trainable parameters take part in the forward, and no gradient ever reaches them.

## What it means
Between their module and the loss the graph is cut: `detach()`, `.data`, `no_grad`, `argmax`, a trip through numpy or
`.item()`. Everything upstream of the cut stays as it was initialized.
## Evidence
`forwards` in which the module ran with gradients on, `backwards` observed, none of which reached it; the operation and
line of the cut, where it was seen.
## When this is fine
A block that is frozen (`requires_grad_(False)`) or belongs to no optimizer. A generator under `detach` in the
discriminator's step is reached in its own step and therefore not reported.
A block that rests at first and gets gradients later. A unit that is skipped by choice never runs.
## Fix
Remove the cut, or freeze the block and take it out of the optimizer.
## References
PyTorch documentation, Autograd mechanics, Setting requires_grad.
"""

from collections.abc import Iterator

from torchclinic.observe.records import RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import changed, trained

RULE = Rule("WIR006", "detached-block", "error", "exact", RunRecord, __doc__)


def check(run: RunRecord, *, min_backwards: int = 3) -> Iterator[Finding]:
    """`min_backwards`: with one optimizer every backward should reach it; with k, at least one in k+1."""
    needed = max(min_backwards, 2 * len(run.optimizers))
    if not any(p.owned and p.reached for p in run.parameters):
        return
    unreached = [p for p in run.parameters if p.owned and p.requires_grad and p.registered and not p.reached]
    unreached = [
        p for p in unreached if p.module_ran >= needed and p.backwards >= needed and p.owner_steps > 1 and p.unchanged
    ]
    if not unreached:
        return
    first = next((p for p in unreached if p.cut), unreached[0])
    cut = f" The graph is cut by `{first.cut}`." if first.cut else ""
    yield RULE.finding(
        f"{len(unreached)} parameters ({first.name}, …) are used in the forward and held by an optimizer, but none of "
        f"{first.backwards} backward passes reached them.{cut}",
        where=first.module or first.name,
        line=first.cut_line or first.ran_line,
        step=0,
        evidence={
            "parameters": len(unreached),
            "forwards": first.module_ran,
            "backwards": first.backwards,
            "cut": first.cut,
        },
        fix="Remove the operation that cuts the graph, or freeze the block and leave it out of the optimizer.",
    )


def sick() -> Specimen:
    return Specimen(_SCRIPT)


def healthy() -> Specimen:
    return Specimen(changed(_SCRIPT, (".detach()", "")))


_SCRIPT = trained("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.encoder(x).relu().detach())
""")
