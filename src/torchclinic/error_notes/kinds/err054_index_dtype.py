"""An index is not of an integer type.

## What it means
Indices are int64 (some operations take int32), masks are bool.
## Evidence
The operand and its dtype.
## When this is fine
Never: the script stopped.
## Fix
Convert it with `.long()`, or take the integers that are meant (the second result of `topk` and `max`).
## References
PyTorch documentation, Tensor indexing.
"""

import ast

import torch

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene, same

KIND = Kind(
    "ERR054",
    "index-dtype",
    __doc__,
    (
        r"(?P<name>\w+)\(\): Expected dtype int32(?: or |/)int64 for index",
        r"tensors used as indices must be long, int, byte or bool tensors",
        r"one_hot is only applicable to index tensor",
        (
            r"Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            r"torch\.(?:cuda\.)?(?P<got>\w+)Tensor"
        ),
        r"gather\(\): Expected dtype int64 for index",
    ),
)


def explain(scene: Scene) -> Explanation:
    found = [o for o in scene.operands if o.node is not None and o.tensor.dtype in _NO_INDEX and _is_index(scene, o.node)]
    if scene.layer is not None and scene.layer_input is not None:
        found = [o for o in scene.operands if same(o.tensor, scene.layer_input)] or found
    got = f" ({scene['got']})" if scene["got"] else ""
    if len(found) != 1:
        return Explanation(
            f"The index is not of an integer type{got}",
            "Convert it with .long(); of topk and max, the indices are the second result",
        )
    operand = found[0]
    cause = f"{operand.name} is {str(operand.tensor.dtype).removeprefix('torch.')}, and an index must be int64"
    birth = scene.birth(operand.node)
    pieces = birth.source.text(birth.statement) if birth is not None else ""
    if birth is not None and birth.expression is None and ("topk" in pieces or ".max(" in pieces or ".sort(" in pieces):
        return Explanation(cause, "topk, max and sort return (values, indices): take the second", birth.line)
    edit = scene.repair(operand.node, "{}.long()", lambda t: t.long())
    return Explanation(cause, "Convert it with .long() (round() before, if it was computed)", None if edit else scene.line, edit)


_NO_INDEX = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int16, torch.int8)


def _is_index(scene: Scene, node: ast.expr) -> bool:
    """In the place of an index: the subscript, or the argument of that name."""
    match scene.expression:
        case ast.Subscript(slice=index):
            return any(part is node for part in ast.walk(index))
        case ast.Call(func=ast.Attribute(attr="one_hot")):
            return scene.argument(0) is node
        case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"))):
            return node is scene.argument(2, "index")
        case ast.Call():
            return node is scene.argument(1, "index") or scene.layer is not None
    return False


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("[0.0, 10.0]", "[0, 10]")


_SCRIPT = """
import torch
clip = torch.zeros(30, 8)
picks = torch.tensor([0.0, 10.0])
frames = clip[picks]
"""
