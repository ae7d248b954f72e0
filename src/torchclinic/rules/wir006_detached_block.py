"""Trainable parameters take part in the forward, and the gradient of the loss does not reach them.

## What it means
Between their module and the loss the graph is cut: `detach()`, `.data`, `no_grad`, `argmax`, a trip through numpy or
`.item()`. Everything upstream of the cut stays as it was initialized. Or a latent value is drawn without gradients
(`sample()`, `torch.normal`): what made its distribution gets the gradient of the divergence from a prior alone.
## Evidence
`forwards` in which the module ran with gradients on, `backwards` observed, none of which reached it; the operation and
line of the cut, where it was seen. Of a draw: the passes in which the loss depended on it through weights from which the
distribution's parameters do not come, while these got a gradient by no other weights and no data.
## When this is fine
A block that is frozen (`requires_grad_(False)`), belongs to no optimizer, or rests at first and gets gradients later. A
generator under `detach` in the discriminator's step is reached in its own. A unit that is skipped by choice never runs.
Draws whose log-probability is in the loss (policy gradients), that feed a critic or the model itself, or make targets.
## Fix
Remove the cut, or freeze the block and take it out of the optimizer. `rsample()` instead of `sample()`.
## References
PyTorch documentation, Autograd mechanics, Setting requires_grad. Kingma and Welling 2014, arXiv:1312.6114, section 2.4.
"""

from collections.abc import Iterator

from torchclinic.observe.records import CutDraw, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import reattached
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import changed, trained

RULE = Rule("WIR006", "detached-block", "error", "exact", RunRecord, __doc__, follows=("WIR007",))
correct = reattached


def check(run: RunRecord, *, min_backwards: int = 3) -> Iterator[Finding]:
    """`min_backwards`: with one optimizer every backward should reach it; with k, at least one in k+1."""
    for draw in run.of(CutDraw):
        if draw.backwards >= min_backwards:
            yield _cut_by_draw(draw)
            return
    needed = max(min_backwards, 2 * len(run.optimizers))
    if not any(p.owned and p.reached for p in run.parameters):
        return
    unreached = [p for p in run.parameters if p.owned and p.requires_grad and p.registered and not p.reached]
    ran = [p for p in unreached if min(p.module_ran, p.backwards) >= needed and p.owner_steps > 1 and p.unchanged]
    if not ran:
        return
    first = next((p for p in ran if p.cut), ran[0])
    cut = first.cut
    yield RULE.finding(
        f"{len(ran)} parameters ({first.name}, …) are used in the forward and held by an optimizer, but none of "
        f"{first.backwards} backward passes reached them.{f' The graph is cut by `{cut}`.' if cut else ''}",
        where=first.module or first.name,
        line=first.cut_line or first.ran_line,
        step=0,
        evidence={"parameters": len(ran), "forwards": first.module_ran, "backwards": first.backwards, "cut": cut},
        fix="Remove the operation that cuts the graph, or freeze the block and leave it out of the optimizer.",
    )


def _cut_by_draw(draw: CutDraw) -> Finding:
    names = ", ".join(f"`{name}`" for name in draw.parameters) or "what made its distribution"
    return RULE.finding(
        f"A value of shape {draw.shape} is drawn without gradients from a distribution that is trained: in "
        f"{draw.backwards} of the observed backward passes the loss of what follows did not reach {names}, which got the "
        f"gradient of the other terms alone.",
        where=draw.parameters[0] if draw.parameters else "",
        line=draw.line,
        step=draw.step,
        evidence={"backwards": draw.backwards, "shape": str(draw.shape), "cut": "sample"},
        fix="Draw with `rsample()`, or as `mu + sigma * torch.randn_like(sigma)`, with gradients on.",
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
