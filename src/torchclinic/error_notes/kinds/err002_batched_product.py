"""Batches of matrices are multiplied whose batches or inner sizes differ.

## What it means
`bmm` and `@` on stacks of matrices take [B, N, K] and [B, K, P]: equal batches, and the columns of the left are the rows of the
right.
## Evidence
The two sizes that were expected and the two that came; the operands.
## When this is fine
Never: the script stopped.
## Fix
Transpose the last two dimensions of the right operand (`mT`), as for the keys of attention; or bring the batch to the front.
## References
PyTorch documentation, `torch.bmm`, `torch.matmul`.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR002",
    "batched-product",
    __doc__,
    (
        r"first two dimensions of batch2 tensor to be: \[(?P<want>[\d, ]+)\] but got: \[(?P<got>[\d, ]+)\]",
        r"batch1 and batch2 must have same number of batches, got (?P<a>\d+) and (?P<b>\d+)",
        r"The expanded size of the tensor \(\d+\) must match the existing size",
    ),
)


def explain(scene: Scene) -> Explanation | None:
    if not scene["want"] and not scene["a"]:  # of the bias that baddbmm adds
        return _added(scene)
    if scene["a"]:
        return Explanation(f"The left operand is a batch of {scene['a']} matrices, the right one of {scene['b']}", _FIRST)
    (batch, k), (batch2, m) = numbers(scene["want"]), numbers(scene["got"])
    what = f"{k} columns on the left, {m} rows on the right" if k != m else f"batches of {batch} and {batch2}"
    left, right = _operands(scene)
    if left is None or right is None or not scene.seen:
        return Explanation(
            f"The matrices do not fit: {what}", "For b of shape [B, M, K], multiply with b.mT, [B, K, M]; the batch comes first"
        )
    a, b = scene.value(left), scene.value(right)
    sizes = f"{scene.text(left)} is {shape(a.shape)} and {scene.text(right)} {shape(b.shape)}: {what}"
    if b.shape[-1] == k and (edit := scene.repair(right, "{}.transpose(-2, -1)", lambda t: t.mT)):
        return Explanation(sizes, f"Multiply with {scene.text(right)} transposed in its last two dimensions", edit=edit)
    if b.dim() == 3 and tuple(b.shape[:2]) == (k, batch) and (edit := scene.changed(right, "{}.transpose(0, 1)")):
        born = scene.birth(right)
        fix = f"{scene.text(right)} has the batch in dimension 1: transpose(0, 1) brings it to the front"
        return Explanation(sizes, fix, None if born is None else scene.line, edit)
    return Explanation(sizes, _FIRST)


_FIRST = "Bring both to [B, N, K] and [B, K, P]: the batch first, and the columns of the left equal to the rows of the right"


def _operands(scene: Scene) -> tuple[ast.expr | None, ast.expr | None]:
    match scene.expression:
        case ast.BinOp(op=ast.MatMult(), left=left, right=right):
            pair = (left, right)
        case ast.Call(func=ast.Attribute(attr="bmm" | "matmul"), args=[left, right]):
            pair = (left, right)
        case ast.Call(func=ast.Attribute(attr="bmm" | "matmul", value=left), args=[right]):
            pair = (left, right)
        case ast.Call(func=ast.Attribute(attr="baddbmm"), args=[_, left, right, *_]):
            pair = (left, right)
        case _:
            return None, None
    known = all(hasattr(scene.value(node), "shape") for node in pair)
    return pair if known else (None, None)


def _added(scene: Scene) -> Explanation | None:
    call = scene.expression
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "baddbmm"):
        return None
    left, right = _operands(scene)
    if left is None or right is None:
        return None
    a, b = scene.value(left), scene.value(right)
    if a.shape[-1] == b.shape[-2]:
        return None
    cause = (
        f"baddbmm would multiply {scene.text(left)} {shape(a.shape)} by {scene.text(right)} {shape(b.shape)}: "
        f"{a.shape[-1]} meets {b.shape[-2]}"
    )
    edit = scene.changed(right, "{}.transpose(-2, -1)")
    return Explanation(cause, f"Multiply with {scene.text(right)} transposed in its last two dimensions", scene.line, edit)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("q @ k", "q @ k.mT")


_SCRIPT = """
import torch
q, k = torch.zeros(2, 10, 16), torch.zeros(2, 12, 16)
scores = q @ k
"""
