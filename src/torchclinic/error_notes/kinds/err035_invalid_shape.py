"""A tensor is to get a shape of another number of elements.

## What it means
`view` and `reshape` keep all elements; -1 stands for the size that the others leave.
## Evidence
The shape that was asked for, the number of elements, the shape that is there.
## When this is fine
Never: the script stopped.
## Fix
Keep the batch as `x.size(0)`: a fixed batch fails on the last, smaller one. Compute the features from the maps that arrive.
## References
PyTorch documentation, `torch.Tensor.view`.
"""

import ast
import math

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR035", "invalid-shape", __doc__, (r"shape '\[(?P<shape>[^\]]*)\]' is invalid for input of size (?P<numel>\d+)",))


def explain(scene: Scene) -> Explanation:
    asked, numel = numbers(scene["shape"]), scene.number("numel")
    known = math.prod(size for size in asked if size != -1)
    what = f"a multiple of {known}" if -1 in asked else str(known)
    call = scene.expression
    tensor = scene.value(call.func.value) if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else None
    there = f" ({shape(tensor.shape)})" if isinstance(tensor, Tensor) else ""
    cause = f"The shape {shape(asked)} needs {what} elements, and the tensor has {numel}{there}"
    rest = math.prod(asked[1:]) if len(asked) > 1 else 0
    if (
        (
            isinstance(tensor, Tensor)
            and isinstance(call, ast.Call)
            and -1 not in asked
            and rest
            and numel % rest == 0
            and tensor.dim()
        )
        and numel // rest == tensor.shape[0]
        and len(call.args) == len(asked)
        and isinstance(call.func, ast.Attribute)
    ):
        text = scene.text(call.func.value)
        edit = scene.changed_to(call.args[0], f"{text}.size(0)")
        cause += f": this batch has {tensor.shape[0]} rows, not {asked[0]}"
        return Explanation(cause, f"Take the batch from the tensor: {text}.size(0)", edit=edit)
    if isinstance(tensor, Tensor) and tensor.dim() > 1 and asked[0] == -1 and len(asked) == 2:
        features = math.prod(tensor.shape[1:])
        fix = f"Each row has {features} values: flatten(1), or {features} in the view, and in the layer that takes them"
        return Explanation(cause, fix, scene.line)
    fix = (
        "Write -1 for the dimension to infer, and keep the batch dimension as x.size(0): a fixed batch size "
        "fails on the last, smaller batch"
    )
    return Explanation(cause, fix, scene.line)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("view(32,", "view(-1,")


_SCRIPT = """
import torch
images = torch.zeros(20, 784)
rows = images.view(32, 28, 28)
"""
