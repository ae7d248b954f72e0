"""A layer normalization was made for other sizes than its input ends with.

## What it means
LayerNorm normalizes the last dimensions, which must be `normalized_shape`.
## Evidence
The two shapes.
## When this is fine
Never: the script stopped.
## Fix
Build it with the last size of the input, or move the features to the last dimension.
## References
PyTorch documentation, `torch.nn.LayerNorm`.
"""

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR015",
    "normalized-shape",
    __doc__,
    (r"normalized_shape=\[(?P<want>[\d, ]+)\], expected .*? but got input of size ?\[(?P<got>[\d, ]+)\]",),
)


def explain(scene: Scene) -> Explanation:
    want, got = numbers(scene["want"]), numbers(scene["got"])
    cause = (
        f"{scene.layer_name or 'The normalization'} normalizes the last dimensions, {shape(want)}, and its input "
        f"{shape(got)} ends with {shape(got[len(got) - len(want) :])}"
    )
    edit = scene.layer_edit("normalized_shape", got[-1]) if len(want) == 1 else None
    made = scene.construction
    at = made.source.line(made.call) if made is not None and edit is None else None
    return Explanation(cause, f"Build it with normalized_shape={got[-1]}, or move the features to the last dimension", at, edit)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("LayerNorm(10)", "LayerNorm(32)")


_SCRIPT = """
import torch
norm = torch.nn.LayerNorm(10)
out = norm(torch.ones(4, 10, 32))
"""
