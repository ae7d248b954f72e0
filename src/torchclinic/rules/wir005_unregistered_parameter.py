"""A tensor or module takes part in the forward but is not in `parameters()`.

## What it means
A tensor that requires grad was assigned as it is instead of as `nn.Parameter`, or modules sit in a plain list or dict.
They get gradients, but `parameters()`, `state_dict()`, `to()` and therefore the optimizer do not know them.
## Evidence
The leaf received gradients over several steps, its values never changed, and no optimizer holds it.
## When this is fine
Inputs that require grad (adversarial examples, saliency), tensors that the script updates by hand, and tensors that are
given to an optimizer themselves: none of them is reported.
## Fix
`self.name = nn.Parameter(tensor)`; `nn.ModuleList` or `nn.ModuleDict` for modules.
## References
PyTorch documentation, `torch.nn.Parameter`, `torch.nn.ModuleList`.
"""

from collections.abc import Iterator

from torchclinic.observe.records import ParameterRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import changed, trained

RULE = Rule("WIR005", "unregistered-parameter", "error", "exact", ParameterRecord, __doc__)


def check(p: ParameterRecord) -> Iterator[Finding]:
    hidden = p.held_by or not p.is_parameter
    if p.registered or p.owned or p.by_hand or not hidden or p.input_like or not p.persistent or not p.unchanged:
        return
    what = f"A parameter of a {p.module_type} inside {p.held_by}" if p.held_by else f"The tensor {p.name}"
    yield RULE.finding(
        f"{what}, shape {p.shape}, receives gradients but is not in `parameters()`: no optimizer updates it and no "
        f"checkpoint saves it.",
        where=p.held_by or p.name,
        line=p.line if p.held_by else p.initialized_line or p.line,
        step=0,
        evidence={"shape": str(p.shape), "backwards": p.backwards, "reached": p.reached, "module": p.module_type},
        fix="Keep modules in `nn.ModuleList` or `nn.ModuleDict`, and tensors as `nn.Parameter`, on the module.",
    )


def sick() -> Specimen:
    return Specimen(_SCRIPT)


def healthy() -> Specimen:
    return Specimen(changed(_SCRIPT, ("[nn.Linear(8, 8), nn.Linear(8, 8)]", "nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])")))


_SCRIPT = trained("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)
        self.middle = [nn.Linear(8, 8), nn.Linear(8, 8)]

    def forward(self, x):
        x = self.first(x).relu()
        for layer in self.middle:
            x = layer(x).relu()
        return self.last(x)
""")
