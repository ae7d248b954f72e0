"""Two tensors are combined element by element whose sizes do not broadcast.

## What it means
Shapes are compared from the right; two sizes fit if they are equal or one of them is 1.
## Evidence
The two sizes, the dimension, and the shapes of the operands.
## When this is fine
Never: the script stopped.
## Fix
Insert a dimension of size 1 where an operand lacks one, take sizes from the tensors of the batch, or repair the operand that is
too long.
## References
PyTorch documentation, Broadcasting semantics.
"""

import ast
from collections.abc import Callable

from torch import Tensor
from torch.optim import Optimizer

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.script.lines import Line

KIND = Kind(
    "ERR030",
    "broadcast-sizes",
    __doc__,
    (r"size of tensor a \((?P<a>\d+)\) must match the size of tensor b \((?P<b>\d+)\) at non-singleton dimension (?P<dim>\d+)",),
)


def explain(scene: Scene) -> Explanation:
    a, b, dim = (scene.number(group) for group in ("a", "b", "dim"))
    if any(isinstance(call.names.get("self"), Optimizer) for call in scene.calls):
        cause = (
            f"In a step of the optimizer sizes of {a} and {b} meet: what it keeps for a parameter has another shape "
            "than the gradient"
        )
        return Explanation(
            cause, "Its state was loaded from a run of another model, or the parameter was replaced: build the optimizer anew"
        )
    pair = _pair(scene, a, b)
    if pair is None:
        cause = f"Shapes are compared from the right; in dimension {dim} of the result the sizes are {a} and {b}, and neither is 1"
        return Explanation(
            cause,
            "If an operand lacks a dimension, add it where it belongs, b[:, None] or b.unsqueeze(dim); else make the sizes equal",
        )
    shapes = [tuple(scene.value(node).shape) for node in pair]
    names = [_short(scene, node) for node in pair]
    counted = dim - max(map(len, shapes))
    cause = (
        f"{names[0]} is {shape(shapes[0])} and {names[1]} is {shape(shapes[1])}: in dimension {dim} ({counted} "
        f"from the right) {a} meets {b}"
    )
    for form, tries in _insertions(shapes):
        for place, text in ((1, form), (0, form)):
            if len(shapes[place]) < len(shapes[1 - place]) and tries(shapes[place], shapes[1 - place]):
                edit = scene.changed(pair[place], "{}" + text)
                if edit is not None:
                    fix = f"{names[place]} lacks a dimension: {names[place]}{text} puts its sizes where they belong"
                    return Explanation(cause, fix, edit=edit)
    born = _fixed_size(scene, pair, dim)
    return Explanation(
        cause,
        (
            "Make the two sizes equal, or 1 where one is to be repeated; sizes of a batch are taken from it: "
            "x.size(0), torch.randn_like(x)"
        ),
        born,
    )


def _pair(scene: Scene, a: int, b: int) -> tuple[ast.expr, ast.expr] | None:
    match scene.expression:
        case ast.BinOp(left=left, right=right):
            pair = (left, right)
        case ast.Compare(left=left, comparators=[right]):
            pair = (left, right)
        case ast.Tuple(elts=[left, right]):
            pair = (left, right)
        case ast.Call(args=[left, right, *_]):
            pair = (left, right)
        case ast.Call(func=ast.Attribute(value=left), args=[right, *_]):
            pair = (left, right)
        case _:
            return None
    values = [scene.value(node) for node in pair]
    if not all(isinstance(value, Tensor) for value in values):
        return None
    held = all(size in value.shape for size, value in zip((a, b), values, strict=True))
    return pair if held else None


def _short(scene: Scene, node: ast.expr) -> str:
    text = scene.text(node)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _insertions(shapes: list[tuple[int, ...]]) -> list[tuple[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]]]:
    """Where a missing dimension can stand, and of which shapes that can be said: the only place where its sizes fit."""

    def channels(short: tuple[int, ...], long: tuple[int, ...]) -> bool:
        return len(short) == 1 and len(long) in (3, 4) and long[-3] == short[0] and short[0] not in long[-2:]

    def rows(short: tuple[int, ...], long: tuple[int, ...]) -> bool:
        return len(short) == 1 and len(long) == 2 and long[0] == short[0] != long[1]

    def keys(short: tuple[int, ...], long: tuple[int, ...]) -> bool:
        return len(short) == 2 and len(long) == 4 and (long[0], long[3]) == short and long[0] != long[2] == long[3]

    return [("[:, None, None]", channels), ("[:, None]", rows), ("[:, None, None, :]", keys)]


def _fixed_size(scene: Scene, pair: tuple[ast.expr, ast.expr], dim: int) -> Line | None:
    """The line that made an operand without looking at the other: torch.randn(BATCH, ...) and the like."""
    for node in pair:
        birth = scene.birth(node)
        call = birth.expression if birth is not None else None
        made = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
        if birth is not None and made in ("randn", "zeros", "ones", "rand", "full", "empty") and dim == 0:
            return birth.line
    return None


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("- mean", "- mean[:, None, None]")


_SCRIPT = """
import torch
images, mean = torch.zeros(8, 3, 32, 32), torch.zeros(3)
centered = images - mean
"""
