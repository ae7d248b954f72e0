"""A tensor without dimensions is indexed, or more dimensions are than there are.

## What it means
A loss is a single number; `loss.data[0]` is from very old PyTorch. An unbatched output has a dimension less.
## Evidence
The tensor, its dimensions.
## When this is fine
Never: the script stopped.
## Fix
Use `loss.item()`; hand over a batch of one where the code is written for batches.
## References
PyTorch 0.4 migration guide.
"""

import ast

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR055",
    "number-without-dimensions",
    __doc__,
    (
        r"invalid index of a 0-dim tensor",
        r"too many indices for tensor of dimension (?P<rank>\d+)",
        r"len\(\) of a 0-d tensor",
        r"iteration over a 0-d tensor",
    ),
)


def explain(scene: Scene) -> Explanation:
    node = scene.expression
    owner = node.value if isinstance(node, ast.Subscript) else None
    tensor = scene.value(owner) if owner is not None else None
    if scene["rank"]:
        there = f", {shape(tensor.shape)}," if isinstance(tensor, Tensor) else ""
        cause = f"More indices are given than the tensor{there} has dimensions, {scene['rank']}"
        return Explanation(cause, "If one sample came where a batch is expected, hand over a batch of one: x.unsqueeze(0)")
    cause = "The tensor is a single number without dimensions (a loss), and has nothing to index"
    if not isinstance(owner, ast.expr) or not isinstance(node, ast.Subscript):
        return Explanation(cause, "loss.item() gives the number")
    plain = owner.value if isinstance(owner, ast.Attribute) and owner.attr == "data" else owner
    edit = scene.edit({node: f"{scene.text(plain)}.item()"}) if isinstance(tensor, Tensor) else None
    return Explanation(cause, f"{scene.text(plain)}.item() gives the number", scene.line, edit)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("loss.data[0]", "loss.item()")


_SCRIPT = """
import torch
loss = torch.zeros(())
value = loss.data[0]
"""
