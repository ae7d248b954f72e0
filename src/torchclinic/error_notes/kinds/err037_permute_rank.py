"""permute names more or fewer dimensions than the tensor has.

## What it means
`permute` lists every dimension once.
## Evidence
The two numbers, the tensor.
## When this is fine
Never: the script stopped.
## Fix
List as many dimensions as there are; a single image [H, W, C] becomes [C, H, W] by permute(2, 0, 1).
## References
PyTorch documentation, `torch.permute`.
"""

import ast

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR037", "permute-rank", __doc__, (r"input\.dim\(\) = (?P<rank>\d+) is not equal to len\(dims\) = (?P<dims>\d+)",))


def explain(scene: Scene) -> Explanation:
    rank, dims = scene.number("rank"), scene.number("dims")
    call = scene.expression
    tensor = scene.value(call.func.value) if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else None
    there = f", {shape(tensor.shape)}" if isinstance(tensor, Tensor) else ""
    cause = f"permute lists {dims} dimensions, and the tensor has {rank}{there}"
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and (rank, dims) == (3, 4):
        order = [scene.value(argument) for argument in call.args]
        if order == [0, 3, 1, 2]:
            text = f"{scene.text(call.func.value)}.permute(2, 0, 1).unsqueeze(0)"
            edit = scene.edit({call: text})
            return Explanation(
                cause, "One image has no batch: permute(2, 0, 1), and unsqueeze(0) for a batch of one", scene.line, edit
            )
    return Explanation(cause, f"List {rank} dimensions, or give the tensor the missing one with unsqueeze(0)", scene.line)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("permute(0, 3, 1, 2)", "permute(2, 0, 1)")


_SCRIPT = """
import torch
image = torch.zeros(24, 24, 3)
turned = image.permute(0, 3, 1, 2)
"""
