"""A tensor of several elements is used as one number.

## What it means
`item()`, `float()` and an index of a list take a tensor of exactly one element.
## Evidence
The number of elements; the tensor.
## When this is fine
Never: the script stopped.
## Fix
Reduce it first (mean, sum), take one element, or turn all of them into a list with `tolist()`.
## References
PyTorch documentation, `torch.Tensor.item`.
"""

import ast

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR043",
    "one-element-expected",
    __doc__,
    (
        r"a Tensor with (?P<n>\d+) elements cannot be converted to Scalar",
        r"only one element tensors can be converted to Python scalars",
        r"only integer tensors of a single element can be converted to an index",
    ),
)


def explain(scene: Scene) -> Explanation:
    call = scene.expression
    node = call.func.value if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else None
    tensor = scene.value(node) if node is not None else None
    n = scene["n"] or (str(tensor.numel()) if isinstance(tensor, Tensor) else "several")
    there = f" ({shape(tensor.shape)})" if isinstance(tensor, Tensor) else ""
    if "index" in scene.message:
        return Explanation(
            "An index of a list takes one number, and the tensor has several elements",
            "Take them one by one: [names[i] for i in indices.tolist()]",
            scene.line,
        )
    cause = f"One number is wanted, and the tensor has {n} elements{there}"
    edit = (
        scene.changed(node, "{}.mean()")
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.grad_fn is not None
        else None
    )
    fix = "Reduce it first, x.mean().item() (a loss with reduction='none' has a value per sample); x.tolist() gives all of them"
    return Explanation(cause, fix, None if edit is None else edit.line, edit)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("loss.item()", "loss.mean().item()")


_SCRIPT = """
import torch
loss = torch.zeros(16)
value = loss.item()
"""
