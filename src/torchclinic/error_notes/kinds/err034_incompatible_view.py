"""`view` cannot express the wanted shape on this layout.

## What it means
A view only reinterprets strides: it merges dimensions i and i+1 where stride[i] = size[i+1] · stride[i+1]. After `transpose`,
`permute`, `expand` or a slice that may not hold.
## Evidence
The shape and the strides of the tensor, the line that changed them.
## When this is fine
Never: the script stopped.
## Fix
`reshape`, which copies when it must, or merging the dimensions before permuting them.
## References
PyTorch documentation, `torch.Tensor.view`, condition on strides.
"""

import ast

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit
from torchclinic.errors import InputError
from torchclinic.script.lines import Line
from torchclinic.tensors.views import Fix, explain_view
from torchclinic.units import format_nbytes
from torchclinic.vocabulary import SPREADING, TRANSPOSES

KIND = Kind(
    "ERR034",
    "incompatible-view",
    __doc__,
    (r"view size is not compatible with input tensor's size and stride",),
    covers=("SHP004",),
)


def explain(scene: Scene) -> Explanation:
    call = scene.expression
    named = isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "view"
    tensor = scene.value(call.func.value) if named and isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or not isinstance(tensor, Tensor):
        cause = (
            "Two neighbouring dimensions that the new shape merges do not follow each other in memory: one of "
            "transpose, permute, expand or a slice changed the strides before"
        )
        return Explanation(cause, "reshape(...) works and copies the elements; explain_view(tensor, *shape) says which dimensions")
    name, sizes = scene.text(call.func.value), [scene.value(argument) for argument in call.args]
    reason, fixes = f"view cannot merge dimensions of {name}, whose strides are {tensor.stride()}", f"{name}.reshape(...)"
    if None not in sizes:
        try:
            explained = explain_view(tensor, *sizes)
        except InputError as invalid:
            return Explanation(str(invalid), "Give a shape with as many elements as the tensor has")
        reason = explained.reason
        fixes = "; or ".join(f"{name}{fix.code.removeprefix('x')} ({_price(fix)})" for fix in explained.fixes)
    line, what, unseen = _changed_by(scene, call.func.value, tensor)
    return Explanation(reason, fixes, line, _reshaped(scene, call), unseen, what)


def _changed_by(scene: Scene, node: ast.expr, tensor: Tensor) -> tuple[Line | None, str, str]:
    """The line that changed the layout: as it was watched, else as the source tells."""
    event = scene.last("layout", tensor)
    if event is not None:
        return event.where, event.call, ""
    for birth in scene.births(node):
        parts = ast.walk(birth.expression) if birth.expression is not None else ()
        if any(isinstance(part, ast.Attribute) and part.attr in _LAYOUT_CHANGES for part in parts):
            return birth.line, "", ""
    return None, "", scene.blind


def _reshaped(scene: Scene, call: ast.Call) -> Edit | None:
    func = call.func
    assert isinstance(func, ast.Attribute)
    arguments = ", ".join(scene.text(argument) for argument in call.args)
    return scene.edit({call: f"{scene.text(func.value)}.reshape({arguments})"})


def _price(fix: Fix) -> str:
    if fix.shares_memory:
        return "no copy" if fix.same_elements else "no copy, but the elements in the order of the storage"
    return f"copies {format_nbytes(fix.copied_bytes)}, no longer shares memory"


_LAYOUT_CHANGES = TRANSPOSES | SPREADING | {"unfold", "as_strided", "diagonal"}


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("x.view", "x.reshape")


_SCRIPT = """
import torch
x = torch.zeros(2, 3, 4).transpose(1, 2)
flat = x.view(2, 12)
"""
