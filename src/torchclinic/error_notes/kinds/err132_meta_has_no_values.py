"""A tensor on the meta device is to give its values.

## What it means
Tensors on the meta device have shapes and no values.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Build the model on a real device; or `model.to_empty(device=...)` and load a state dict; `load_state_dict(state,
assign=True)`.
## References
PyTorch documentation, `torch.nn.Module.to_empty`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR132",
    "meta-has-no-values",
    __doc__,
    (
        r"Cannot copy out of meta tensor; no data!",
        r"Tensor\.item\(\) cannot be called on meta tensors",
        r"can't convert meta device type tensor to numpy",
        r"Tensor on device meta is not on the expected device",
    ),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "A tensor on the meta device has a shape and no values, and values were asked for",
        "Build it on a real device; or model.to_empty(device='cpu') and load the weights, or "
        "load_state_dict(state, assign=True); a tensor that is no buffer stays on meta",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("model.to('cpu')", "model.to_empty(device='cpu')")


_SCRIPT = """
import torch
model = torch.nn.Linear(2, 2, device='meta')
model.to('cpu')
"""
