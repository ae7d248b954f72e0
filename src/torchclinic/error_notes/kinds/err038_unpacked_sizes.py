"""A tensor, its shape or its pieces are unpacked into another number of names.

## What it means
`a, b, c = x.shape` needs a tensor of three dimensions; `split(n)` gives pieces of size n, `chunk(n)` n pieces.
## Evidence
The numbers; the tensor.
## When this is fine
Never: the script stopped.
## Fix
`chunk(n)` for n pieces; insert the missing dimension, or unpack as many names as there are.
## References
PyTorch documentation, `torch.split`, `torch.chunk`.
"""

import ast

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR038",
    "unpacked-sizes",
    __doc__,
    (
        r"too many values to unpack \(expected (?P<many>\d+)(?:, got \d+)?\)",
        r"not enough values to unpack \(expected (?P<few>\d+), got (?P<got>\d+)\)",
    ),
    types=("ValueError",),
)


def explain(scene: Scene) -> Explanation | None:
    frame = scene.frames[-1] if scene.seen else None
    statement = frame.statement if frame is not None else None
    value = statement.value if isinstance(statement, ast.Assign) else None
    if frame is None or value is None:
        return None
    wanted = int(scene["many"] or scene["few"])
    split = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "split"
    if split and isinstance(value, ast.Call) and scene["many"] and value.args and frame.value(value.args[0]) == wanted:
        text = "" if frame.source is None else frame.source.text(value)
        once = frame.source is not None and text.count(".split(") == 1
        edit = frame.source.edit({value: text.replace(".split(", ".chunk(")}) if once and frame.source is not None else None
        cause = f"split({wanted}) cuts into pieces of size {wanted}, and there are more than {wanted} of them"
        return Explanation(cause, f"chunk({wanted}, dim=...) gives {wanted} pieces", scene.line, edit)
    of_shape = isinstance(value, ast.Attribute) and value.attr == "shape"
    tensor = frame.value(value.value) if isinstance(value, ast.Attribute) and of_shape else frame.value(value)
    if not isinstance(tensor, Tensor):
        return None
    if of_shape:
        cause = f"{scene.text(value.value)} is {shape(tensor.shape)}, {tensor.dim()} dimensions, and {wanted} are unpacked"  # type: ignore[attr-defined]
        fix = (
            "Insert the missing dimension where the tensor is made (unsqueeze(1) for a channel)"
            if tensor.dim() < wanted
            else "Unpack all dimensions"
        )
        born = scene.first_birth(value.value)  # type: ignore[attr-defined]
        return Explanation(cause, fix, born.line if born is not None else scene.line)
    return Explanation(
        f"{scene.text(value)} has {tensor.shape[0]} rows, and they are unpacked into {wanted} names",
        "Unpack as many as there are",
        scene.line,
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("split(3", "chunk(3")


_SCRIPT = """
import torch
x = torch.zeros(2, 96)
q, k, v = x.split(3, dim=-1)
"""
