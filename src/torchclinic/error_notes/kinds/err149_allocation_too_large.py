"""There is not enough memory for a tensor.

## What it means
One tensor was to hold more bytes than there are. Often two shapes broadcast against each other, or `one_hot` of raw
numbers makes a column for each.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Look at the shapes on that line: (N, 1) against (N,) gives N x N. A smaller batch helps only if the shapes are meant.
## References
PyTorch documentation, broadcasting semantics.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR149",
    "allocation-too-large",
    __doc__,
    (r"DefaultCPUAllocator: (can't allocate memory|not enough memory): you tried to allocate (?P<bytes>\d+) bytes",),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"One tensor was to hold {scene['bytes']} bytes, which is more than there is",
        "Look at the shapes of what meets on that line: (N, 1) against (N,) broadcasts to N x N, and one_hot "
        "makes a column for every number up to the largest",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("1 << 50", "1 << 5")


_SCRIPT = """
import torch
x = torch.empty(1 << 50)
"""
