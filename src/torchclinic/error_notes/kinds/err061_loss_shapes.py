"""A loss gets predictions and targets of different shapes.

## What it means
Losses of elements compare position with position: [N, 1] against [N] is not that.
## Evidence
The two shapes.
## When this is fine
Never: the script stopped.
## Fix
Make them equal: `target.unsqueeze(1)`, or `prediction.squeeze(1)`.
## References
PyTorch documentation, `torch.nn.BCEWithLogitsLoss`.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.script.lines import Line

KIND = Kind(
    "ERR061",
    "loss-shapes",
    __doc__,
    (r"[Tt]arget size \(torch\.Size\(\[(?P<b>[\d, ]*)\]\)\).*input size \(torch\.Size\(\[(?P<a>[\d, ]*)\]\)\)",),
)


def explain(scene: Scene) -> Explanation:
    a, b = numbers(scene["a"]), numbers(scene["b"])
    cause = f"The predictions are {shape(a)} and the targets {shape(b)}; they would be compared crosswise, not pair by pair"
    target = scene.argument(1, "target")
    if a == (*b, 1):
        edit = scene.changed(target, f"{{}}.unsqueeze({len(b)})")
        return Explanation(
            cause,
            f"Give the targets the missing dimension, targets.unsqueeze({len(b)}), or squeeze the predictions",
            scene.line,
            edit,
        )
    if b == (*a, 1):
        edit = scene.changed(target, f"{{}}.squeeze({len(a)})")
        if a == () and b == (1,):
            cause += ". squeeze() without a dimension has probably removed the batch of one too"
        return Explanation(
            cause, f"Squeeze the targets, targets.squeeze({len(a)}), or give the predictions the dimension", scene.line, edit
        )
    if a == () and b == (1,):
        edit = scene.changed(target, "{}.squeeze()")
        return Explanation(cause, "squeeze() without a dimension also removes a batch of one: squeeze(1) keeps it", _squeeze(scene))
    return Explanation(cause, "Make them equal: predictions.squeeze(-1) or targets.unsqueeze(-1), in floating point")


def _squeeze(scene: Scene) -> Line | None:
    source = scene.frames[-1].source if scene.seen else None
    calls = [n for n in source.walk(ast.Call) if isinstance(n, ast.Call) and _is_squeeze(n)] if source is not None else []
    return source.line(calls[0]) if source is not None and len(calls) == 1 else None


def _is_squeeze(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "squeeze" and not call.args and not call.keywords


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("logits, target)", "logits, target.unsqueeze(1))")


_SCRIPT = """
import torch
logits, target = torch.zeros(16, 1), torch.zeros(16)
loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
"""
