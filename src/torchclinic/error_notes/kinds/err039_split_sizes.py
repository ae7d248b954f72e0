"""The sizes of a split do not add up to the size of the dimension.

## What it means
`split` with a list cuts a dimension into pieces that must be all of it.
## Evidence
The sizes and the dimension.
## When this is fine
Never: the script stopped.
## Fix
Make the dimension as large as the pieces, or the pieces as large as it.
## References
PyTorch documentation, `torch.split`.
"""

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR039",
    "split-sizes",
    __doc__,
    (
        (
            r"split_with_sizes expects split_sizes to sum exactly to (?P<size>\d+) \(input tensor's size at dimension "
            r"(?P<dim>-?\d+)\), but got split_sizes=\[(?P<parts>[\d, ]*)\]"
        ),
    ),
)


def explain(scene: Scene) -> Explanation:
    parts = numbers(scene["parts"])
    cause = f"The pieces {shape(parts)} are {sum(parts)} together, and dimension {scene['dim']} has {scene['size']}"
    return Explanation(cause, f"Make the layer before {sum(parts)} wide, or let the pieces add up to {scene['size']}")


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("[4, 1, 5]", "[4, 1, 8]")


_SCRIPT = """
import torch
out = torch.zeros(2, 13)
box, score, classes = out.split([4, 1, 5], dim=1)
"""
