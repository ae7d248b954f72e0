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
from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

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
    found = [(node, scene.value(node)) for node in _indices(scene)]
    odd = [(node, value) for node, value in found if isinstance(value, Tensor) and value.dtype in _NO_INDEX]
    if scene.layer is not None and scene.layer_input is not None:
        node = scene.node_of(scene.layer_input)
        odd = [(node, scene.layer_input)] if node is not None else []
    got = f" ({scene['got']})" if scene["got"] else ""
    if len(odd) != 1:
        return Explanation(
            f"The index is not of an integer type{got}",
            "Convert it with .long(); of topk and max, the indices are the second result",
        )
    node, tensor = odd[0]
    cause = f"{scene.text(node)} is {str(tensor.dtype).removeprefix('torch.')}, and an index must be int64"
    birth = scene.birth(node)
    pieces = birth.source.text(birth.statement) if birth is not None else ""
    if birth is not None and birth.expression is None and ("topk" in pieces or ".max(" in pieces or ".sort(" in pieces):
        return Explanation(cause, "topk, max and sort return (values, indices): take the second", birth.line)
    edit = scene.repair(node, "{}.long()", lambda t: t.long())
    return Explanation(cause, "Convert it with .long() (round() before, if it was computed)", None if edit else scene.line, edit)


_NO_INDEX = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int16, torch.int8)


def _indices(scene: Scene) -> list[ast.expr]:
    """What stands in the place of an index: in the subscript, or the argument of that name."""
    match scene.expression:
        case ast.Subscript(slice=ast.Tuple(elts=elements)):
            return elements
        case ast.Subscript(slice=index):
            return [index]
        case ast.Call(func=ast.Attribute(attr="one_hot")):
            found = scene.argument(0)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"))):
            found = scene.argument(2, "index")
        case ast.Call():
            found = scene.argument(1, "index")
        case _:
            found = None
    return [] if found is None else [found]


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
