"""A product of vectors gets tensors of other dimensions or lengths.

## What it means
`dot` takes two vectors of equal length, `mv` a matrix and a vector with an element per column, `mm` two matrices and no
batches.
## Evidence
The numbers of dimensions and the sizes of the message; the operands.
## When this is fine
Never: the script stopped.
## Fix
For batches, multiply elementwise and sum over the features, or use `torch.matmul`, which takes batches.
## References
PyTorch documentation, `torch.dot`, `torch.mv`, `torch.mm`.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit

KIND = Kind(
    "ERR003",
    "vector-product",
    __doc__,
    (
        r"size mismatch, got input \(\d+\), mat \((?P<mat>\d+x\d+)\), vec \((?P<vec>\d+)\)",
        r"1D tensors expected, but got (?P<a>\d)D and (?P<b>\d)D tensors",
        r"inconsistent tensor size, expected tensor \[(?P<c>\d+)\] and src \[(?P<d>\d+)\] to have the same number of elements",
        r"^(?P<which>self|mat2|batch1|batch2) must be a (?P<must>matrix|3D tensor)",
        r"vector \+ matrix @ vector expected, got (?P<ranks>[\d, ]+)",
    ),
)


def explain(scene: Scene) -> Explanation:
    if scene["mat"]:
        rows, columns = numbers(scene["mat"])
        cause = f"A [{rows}, {columns}] matrix takes a vector of {columns} elements, and this one has {scene['vec']}"
        return Explanation(cause, "Give both the same number of features; `matrix.mT @ vector` takes one element per row")
    if scene["c"]:
        return Explanation(
            f"dot takes vectors of equal length; these have {scene['c']} and {scene['d']} elements", "Give both the same length"
        )
    pair = _pair(scene)
    shapes = (
        ""
        if pair is None
        else f": {scene.text(pair[0])} is {_sizes(scene, pair[0])}, {scene.text(pair[1])} is {_sizes(scene, pair[1])}"
    )
    if scene["a"]:
        edit = None if pair is None else _summed(scene, pair)
        fix = "For one number per pair of rows, multiply elementwise and sum over dim=1; for all products of rows use a @ b.mT"
        return Explanation(
            f"dot takes two vectors, and got tensors of {scene['a']} and {scene['b']} dimensions{shapes}", fix, scene.line, edit
        )
    if scene["must"]:
        edit = None if pair is None or not isinstance(scene.expression, ast.Call) else _matmul(scene, scene.expression, pair)
        operand = {
            "self": "the left operand",
            "mat2": "the right operand",
            "batch1": "the left operand",
            "batch2": "the right operand",
        }
        takes = "two matrices" if scene["must"] == "matrix" else "two batches of matrices, [B, N, K] and [B, K, P]"
        cause = f"This product takes {takes}, and {operand[scene['which']]} is none{shapes}"
        return Explanation(cause, "Use torch.matmul (or @), which multiplies matrices and batches of them", scene.line, edit)
    return Explanation(f"mv takes a matrix and a vector; the dimensions are {scene['ranks']}", "Use torch.matmul (or @)")


def _pair(scene: Scene) -> tuple[ast.expr, ast.expr] | None:
    match scene.expression:
        case ast.Call(func=ast.Attribute(attr="dot" | "mm" | "bmm", value=ast.Name(id="torch")), args=[left, right]):
            return left, right
        case ast.Call(func=ast.Attribute(attr="dot" | "mm" | "bmm", value=left), args=[right]):
            return left, right
    return None


def _sizes(scene: Scene, node: ast.expr) -> str:
    value = scene.value(node)
    return shape(value.shape) if hasattr(value, "shape") else "unknown"


def _summed(scene: Scene, pair: tuple[ast.expr, ast.expr]) -> Edit | None:
    a, b = (scene.value(node) for node in pair)
    alike = hasattr(a, "shape") and hasattr(b, "shape") and a.dim() == 2 and a.shape == b.shape
    text = f"({scene.text(pair[0])} * {scene.text(pair[1])}).sum(dim=1)"
    return scene.edit({scene.expression: text}) if alike and scene.expression is not None else None


def _matmul(scene: Scene, call: ast.Call, pair: tuple[ast.expr, ast.expr]) -> Edit | None:
    return scene.edit({call: f"torch.matmul({scene.text(pair[0])}, {scene.text(pair[1])})"})


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("torch.dot(a, b)", "(a * b).sum(dim=1)")


_SCRIPT = """
import torch
a, b = torch.ones(4, 8), torch.ones(4, 8)
similarity = torch.dot(a, b)
"""
