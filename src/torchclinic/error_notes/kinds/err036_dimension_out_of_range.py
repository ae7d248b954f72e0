"""A dimension is named that the tensor does not have.

## What it means
A tensor of n dimensions has the dimensions 0 to n-1, and -n to -1. `squeeze()` without a dimension also removes a batch of one.
## Evidence
The dimension and the range; the tensor.
## When this is fine
Never: the script stopped.
## Fix
Give the input its batch (unsqueeze(0)), or name a dimension that exists; squeeze one dimension only.
## References
PyTorch documentation, `torch.squeeze`.
"""

import ast

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit
from torchclinic.script.lines import Line

KIND = Kind(
    "ERR036",
    "dimension-out-of-range",
    __doc__,
    (
        r"Dimension out of range \(expected to be in range of \[(?P<low>-?\d+), (?P<high>\d+)\], but got (?P<got>-?\d+)\)",
        r"Dimension specified as (?P<got0>-?\d+) but tensor has no dimensions",
    ),
    types=("IndexError",),
)


def explain(scene: Scene) -> Explanation:
    if scene["got0"]:
        return Explanation(
            f"Dimension {scene['got0']} was named, and the tensor is a single number without dimensions",
            "Leave the dimension away, or keep the dimension that a mean or sum took",
            scene.line,
        )
    rank = scene.number("high") + 1
    tensor = _receiver(scene)
    there = f", {shape(tensor[1].shape)}," if tensor is not None and tensor[1].dim() == rank else ""
    cause = f"Dimension {scene['got']} was named, and the tensor{there} has {rank}: {scene['low']} to {scene['high']}"
    squeezed = tensor[1].grad_fn if tensor is not None else None
    if tensor is not None and squeezed is not None and squeezed.name() == "SqueezeBackward0" and rank == 1:
        cause += ". squeeze() without a dimension has also removed the batch of one"
        return Explanation(cause, "Squeeze only the dimension that is meant, squeeze(-1), or use flatten(1)", *_squeeze(scene))
    if tensor is not None and rank == scene.number("got"):
        edit = scene.birth_edit(tensor[0], "{}.unsqueeze(0)", lambda t: t.unsqueeze(0))
        return Explanation(
            cause,
            "If one sample came where a batch is expected, give it one: x.unsqueeze(0); else name a dimension that exists",
            edit=edit,
        )
    return Explanation(
        cause, "If one sample came where a batch is expected, give it one: x.unsqueeze(0); else name a dimension that exists"
    )


def _receiver(scene: Scene) -> tuple[ast.expr, Tensor] | None:
    call = scene.expression
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    for node in (call.func.value, *call.args[:1]):
        value = scene.value(node)
        if isinstance(value, Tensor):
            return node, value
    return None


def _squeeze(scene: Scene) -> tuple[Line | None, Edit | None]:
    """The only `.squeeze()` of the file."""
    source = scene.frames[-1].source
    calls = [n for n in source.walk(ast.Call) if isinstance(n, ast.Call) and _is_squeeze(n)] if source is not None else []
    return (source.line(calls[0]), None) if source is not None and len(calls) == 1 else (None, None)


def _is_squeeze(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "squeeze" and not call.args and not call.keywords


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("transpose(1, 2)", "transpose(0, 1)")


_SCRIPT = """
import torch
recording = torch.zeros(100, 8)
turned = recording.transpose(1, 2)
"""
