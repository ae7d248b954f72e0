"""The report of load_state_dict was taken for the model.

## What it means
`load_state_dict` changes the model in place and gives a report of missing and unexpected keys.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Do not assign its result.
## References
PyTorch documentation, `torch.nn.Module.load_state_dict`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR182", "result-of-loading", __doc__, (r"'_IncompatibleKeys' object has no attribute '(?P<name>\w+)'",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "load_state_dict works in place and gives a report of keys, which now stands where the model was",
        "model.load_state_dict(state) on a line of its own, without an assignment",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("model = model.load", "model.load")


_SCRIPT = """
import torch
model = torch.nn.Linear(2, 2)
model = model.load_state_dict(model.state_dict())
model.eval()
"""
