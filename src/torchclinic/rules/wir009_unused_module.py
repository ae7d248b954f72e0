"""A registered module with trainable parameters is never used in the forward.

## What it means
A layer was defined and then forgotten, or shadowed by another one: the network that is trained is not the one that was
drawn.
## Evidence
The module's parameters were held by an optimizer over several observed steps; the module never ran, and no backward
reached them (so a weight that is used without calling its module does not count).
## When this is fine
One of several alike in a container, of which others run (experts without tokens, stochastic depth, heads of other
tasks); frozen modules; parts that no optimizer holds.
## Fix
Use it in `forward`, or remove it.
## References
Humbatova et al. 2020, arXiv:1910.11015, taxonomy: missing or redundant layer.
"""

from collections.abc import Iterator

from torchclinic.observe.records import RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import changed, trained

RULE = Rule("WIR009", "unused-module", "warning", "exact", RunRecord, __doc__, follows=("WIR006", "WIR007"))


def check(run: RunRecord, *, min_backwards: int = 3) -> Iterator[Finding]:
    """`min_backwards`: as for detached blocks, so that every optimizer has had its turn."""
    needed = max(min_backwards, 2 * len(run.optimizers))
    unused = [
        p
        for p in run.parameters
        if p.owned
        and p.requires_grad
        and p.registered
        and not p.reached
        and not p.module_ran
        and not p.sibling_ran
        and p.backwards >= needed
        and p.owner_steps > 1
        and p.module
    ]
    modules = list(dict.fromkeys(p.module for p in unused))
    if modules:
        yield RULE.finding(
            f"{len(modules)} modules with trainable parameters never ran in {unused[0].backwards} observed training "
            f"passes: {', '.join(modules[:4])}.",
            where=modules[0],
            line=unused[0].initialized_line,
            step=0,
            evidence={"modules": len(modules), "parameters": len(unused), "backwards": unused[0].backwards},
            fix="Call the module in `forward`, or remove it.",
        )


def sick() -> Specimen:
    return Specimen(_SCRIPT)


def healthy() -> Specimen:
    return Specimen(changed(_SCRIPT, ("self.last(x)", "self.last(self.middle(x).relu())")))


_SCRIPT = trained("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        x = self.first(x).relu()
        return self.last(x)
""")
