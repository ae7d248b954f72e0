"""A mask has another shape than what it selects from.

## What it means
A boolean mask covers the first dimensions of a tensor, with their sizes.
## Evidence
The two shapes and the dimension where they differ.
## When this is fine
Never: the script stopped.
## Fix
Build the mask for the dimension that it selects from: `all(dim=1)` gives one value per row.
## References
PyTorch documentation, Tensor indexing.
"""

import ast

from torchclinic.error_notes.births import Birth
from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit

KIND = Kind(
    "ERR040",
    "mask-shape",
    __doc__,
    (
        (
            r"The shape of the mask \[(?P<mask>[\d, ]+)\] at index (?P<at>\d+) does not match the shape of the "
            r"indexed tensor \[(?P<shape>[\d, ]+)\] at index (?P<there>\d+)"
        ),
    ),
    types=("IndexError",),
)


def explain(scene: Scene) -> Explanation:
    mask, sizes = numbers(scene["mask"]), numbers(scene["shape"])
    node = scene.expression.slice if isinstance(scene.expression, ast.Subscript) else None
    cause = (
        f"The mask is {shape(mask)}, and the tensor {shape(sizes)} has {sizes[int(scene['there'])]} where the "
        f"mask has {mask[int(scene['at'])]}"
    )
    birth = scene.birth(node)
    edit = _other_dim(scene, birth) if birth is not None and len(mask) == 1 and len(sizes) == 2 and mask[0] == sizes[1] else None
    fix = (
        "The mask has a value per column; one per row is all(dim=1) or any(dim=1)"
        if edit
        else "Build the mask from the dimension that it selects from"
    )
    return Explanation(cause, fix, birth.line if birth is not None else None, edit)


def _other_dim(scene: Scene, birth: Birth) -> Edit | None:
    call = birth.expression
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr not in ("all", "any"):
        return None
    over = scene.value(call.func.value)
    node = next((k.value for k in call.keywords if k.arg == "dim"), call.args[0] if call.args else None)
    indexed = scene.value(scene.expression.value) if isinstance(scene.expression, ast.Subscript) else None
    fits = getattr(over, "shape", None) is not None and over.shape == getattr(indexed, "shape", None)
    return birth.source.edit({node: "1"}) if fits and isinstance(node, ast.Constant) and node.value == 0 else None


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("dim=0", "dim=1")


_SCRIPT = """
import torch
rows = torch.zeros(10, 16)
keep = (rows == 0).all(dim=0)
kept = rows[keep]
"""
