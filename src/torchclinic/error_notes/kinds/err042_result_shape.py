"""An operation in place would give a larger result than its place.

## What it means
`a -= b` keeps the shape of `a`; broadcasting may only stretch `b`.
## Evidence
The two shapes.
## When this is fine
Never: the script stopped.
## Fix
Write out of place, or give the other operand a shape that fits in.
## References
PyTorch documentation, Broadcasting semantics, in-place semantics.
"""

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR042",
    "result-shape",
    __doc__,
    (r"output with shape \[(?P<out>[\d, ]*)\] doesn't match the broadcast shape \[(?P<shape>[\d, ]*)\]",),
)


def explain(scene: Scene) -> Explanation:
    out, wide = numbers(scene["out"]), numbers(scene["shape"])
    cause = f"The result would be {shape(wide)}, and it is to be written in place into {shape(out)}"
    grey = len(out) >= 3 and out[-3] == 1 and wide[-3] == 3 if len(wide) == len(out) else False
    fix = (
        "The statistics of three channels meet a grey image: give one mean and one std, (0.5,), (0.5,)"
        if grey
        else "Write out of place (a = a - b), or give the other operand a shape that fits in"
    )
    return Explanation(cause, fix)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("image -= torch", "image = image - torch")


_SCRIPT = """
import torch
image = torch.zeros(1, 8, 8)
image -= torch.zeros(3, 1, 1)
"""
