"""Tensors are joined whose other sizes differ, or whose numbers of dimensions do.

## What it means
`cat` joins along one existing dimension; all others must agree. `stack` makes a new dimension.
## Evidence
The tensor that differs, the sizes, the dimension.
## When this is fine
Never: the script stopped.
## Fix
Join along another dimension, cut or pad to one size, or use `stack` for numbers.
## References
PyTorch documentation, `torch.cat`.
"""

import ast

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit

KIND = Kind(
    "ERR032",
    "joined-sizes",
    __doc__,
    (
        (
            r"Sizes of tensors must match except in dimension (?P<dim>\d+)\. (?:Expected size (?P<want>\d+) but got "
            r"size (?P<got>\d+) for tensor number (?P<number>\d+)|Got (?P<want2>\d+) and (?P<got2>\d+) in dimension "
            r"(?P<where>\d+))"
        ),
        r"Tensors must have same number of dimensions: got (?P<a>\d+) and (?P<b>\d+)",
        r"zero-dimensional tensor \(at position (?P<place>\d+)\) cannot be concatenated",
    ),
)


def explain(scene: Scene) -> Explanation:
    call = scene.expression
    tensors = _tensors(scene)
    shapes = f" ({', '.join(shape(t.shape) for t in tensors[:4])})" if tensors else ""
    if scene["place"]:
        edit = (
            scene.edit({call.func: "torch.stack"}) if isinstance(call, ast.Call) and scene.text(call.func) == "torch.cat" else None
        )
        return Explanation(
            "The tensors are single numbers, without a dimension to join along",
            "Use torch.stack, which makes a new dimension",
            scene.line,
            edit,
        )
    if scene["a"]:
        cause = f"The tensors have {scene['a']} and {scene['b']} dimensions{shapes}, and cat needs equal numbers"
        return Explanation(
            cause,
            "Bring them to one number of dimensions: flatten(1) for maps of a network, unsqueeze for a missing one",
            edit=_flat(scene, tensors),
        )
    want, got = scene["want"] or scene["want2"], scene["got"] or scene["got2"]
    which = f"tensor number {scene['number']}" if scene["number"] else "another tensor"
    cause = (
        f"cat joins along dimension {scene['dim']}, all other sizes must agree, and {which} has {got} where the "
        f"first has {want}{shapes}"
    )
    if len(tensors) == 2 and tensors[0].dim() == 4 and abs(int(want) - int(got)) == 1 and int(scene["dim"]) == 1:
        fix = (
            "Bring the one map to the size of the other first, F.interpolate(x, size=skip.shape[-2:]); sides that "
            "divide by 2 at every pooling need none"
        )
        return Explanation(cause, fix, edit=_resized(scene))
    return Explanation(cause, "Join along another dimension (dim=...), or cut, pad or project the tensors to one size")


def _nodes(scene: Scene) -> list[ast.expr]:
    first = scene.argument(0, "tensors")
    return list(first.elts) if isinstance(first, ast.List | ast.Tuple) else []


def _tensors(scene: Scene) -> list[Tensor]:
    values = [scene.value(node) for node in _nodes(scene)]
    return values if all(isinstance(value, Tensor) for value in values) else []


def _flat(scene: Scene, tensors: list[Tensor]) -> Edit | None:
    if len(tensors) != 2:
        return None
    deep = 0 if tensors[0].dim() > tensors[1].dim() else 1
    if tensors[1 - deep].dim() != 2 or tensors[deep].shape[2:].numel() != 1:
        return None
    return scene.changed(_nodes(scene)[deep], "{}.flatten(1)")


def _resized(scene: Scene) -> Edit | None:
    a, b = _nodes(scene)
    return scene.changed(a, "torch.nn.functional.interpolate({}, size=" + scene.text(b) + ".shape[-2:])")


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("[a, b]", "[a, b], dim=1")


_SCRIPT = """
import torch
a, b = torch.zeros(2, 3), torch.zeros(2, 4)
both = torch.cat([a, b])
"""
