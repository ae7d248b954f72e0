"""The state of an optimizer belongs to other parameter groups.

## What it means
`load_state_dict` of an optimizer goes by position: the groups, and the parameters in each, must be as when it was
saved.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Build model and optimizer as when saving; or load the model alone and begin with a new optimizer.
## References
PyTorch documentation, `torch.optim.Optimizer.load_state_dict`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR113",
    "optimizer-groups-differ",
    __doc__,
    (
        r"loaded state dict has a different number of parameter groups",
        r"loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
    ),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The saved optimizer had other parameter groups, or other numbers of parameters in them, than the one"
        " it is loaded into; it knows them by position only",
        "Build model and optimizer exactly as when saving, or load the model alone and begin with a fresh optimizer",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("Adam(old.", "Adam(new.")


_SCRIPT = """
import torch
old, new = torch.nn.Linear(2, 2), torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
state = torch.optim.Adam(old.parameters()).state_dict()
optimizer = torch.optim.Adam(new.parameters())
optimizer.load_state_dict(state)
"""
