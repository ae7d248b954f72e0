"""A leaf that collects gradients is overwritten in place.

## What it means
Its gradient belongs to the value it had; parameters are leaves.
## Evidence
The tensor.
## When this is fine
Never: the script stopped.
## Fix
Write under `torch.no_grad()`, or compute a new tensor.
## References
PyTorch documentation, Autograd mechanics, in-place operations.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR090",
    "in-place-on-leaf",
    __doc__,
    (r"a (?P<view>view of a )?leaf Variable that requires grad is being used in an in-place operation",),
)


def explain(scene: Scene) -> Explanation:
    names = [name for name, tensor in scene.tensors.items() if tensor.requires_grad and tensor.is_leaf]
    what = names[0] if len(names) == 1 else "The tensor"
    cause = (
        f"{what} is a leaf that collects gradients (a parameter, or made with requires_grad=True); overwriting it "
        "would lose the value its gradient belongs to"
    )
    fix = (
        "To set values (initialization, a manual update), write under `with torch.no_grad():`; to compute with "
        "it, write y = x + 1 instead of x += 1"
    )
    return Explanation(cause, fix, scene.line)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("w += 1", "v = w + 1")


_SCRIPT = """
import torch
w = torch.zeros(3, requires_grad=True)
w += 1
"""
