"""The optimizer holds parameters that the model in use no longer has.

## What it means
The model, or a part of it, was created again, replaced or moved after the optimizer was made. The optimizer updates the
old tensors; the new ones get gradients and never change.
## Evidence
`orphans`: parameters of the optimizer that no backward reached and that belong to no model that was called;
`left_out`: parameters that receive gradients and are in no optimizer.
## When this is fine
An optimizer kept for a phase that is over, while another one owns every parameter that receives gradients.
## Fix
Create the optimizer after the model is complete and on its device, or `add_param_group` the new part.
## References
PyTorch documentation, `torch.optim`, Constructing it.
"""

from collections.abc import Iterator

from torchclinic.observe.records import RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import CLASSIFIER, changed
from torchclinic.rules.wir003_parameter_not_in_optimizer import is_left_out

RULE = Rule("WIR004", "stale-optimizer", "error", "exact", RunRecord, __doc__)


def check(run: RunRecord) -> Iterator[Finding]:
    if not any(optimizer.steps > 1 for optimizer in run.optimizers):
        raise Undecided("no optimizer took two steps")
    left_out = [p for p in run.parameters if is_left_out(p)]
    stale = [optimizer for optimizer in run.optimizers if optimizer.orphans]
    if not left_out or not stale:
        return
    optimizer = stale[-1]  # the latest: an earlier one may have been given up
    yield RULE.finding(
        f"{optimizer.orphans} of the {optimizer.owned} parameters of {optimizer.name} belong to no model in use, while "
        f"{len(left_out)} parameters that receive gradients ({left_out[0].name}, …) are in no optimizer.",
        where=left_out[0].name,
        line=optimizer.line,
        step=0,
        evidence={"orphans": optimizer.orphans, "owned": optimizer.owned, "left_out": len(left_out)},
        fix="Create the optimizer after the last change to the model, from the model's current `parameters()`.",
    )


def sick() -> Specimen:
    return Specimen(
        changed(CLASSIFIER, ("lr=0.05)", "lr=0.05)\nmodel = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))"))
    )


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
