"""A parameter stands in more than one parameter group.

## What it means
Each parameter has one rate and one state. Whole models hold the parameters of their parts, and tied weights are one
parameter under two names.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
List each parameter once: the backbone's in one group, the head's in another; a tied weight in one of them.
## References
PyTorch documentation, `torch.optim`, per-parameter options.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR112", "parameter-in-two-groups", __doc__, (r"some parameters appear in more than one parameter group",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "A parameter stands in two groups: a whole model beside one of its parts, or a weight that two modules share",
        "List each parameter once, for example the parameters of the parts instead of those of the whole",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("model.parameters()}, ", "model[0].parameters()}, ")


_SCRIPT = """
import torch
model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
optimizer = torch.optim.SGD([{'params': model.parameters()}, {'params': model[1].parameters(), 'lr': 1.0}], lr=0.1)
"""
