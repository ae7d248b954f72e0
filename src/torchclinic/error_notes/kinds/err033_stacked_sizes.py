"""Tensors are stacked whose shapes differ.

## What it means
`stack` needs equal shapes. So does the collate function of a DataLoader, which stacks the samples of a batch.
## Evidence
The two shapes, the entry that differs.
## When this is fine
Never: the script stopped.
## Fix
In a loader, resize the samples or pad them in `collate_fn`; results of batches are joined with `torch.cat`.
## References
PyTorch documentation, `torch.stack`, `torch.utils.data.default_collate`.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.script.lines import Line

KIND = Kind(
    "ERR033",
    "stacked-sizes",
    __doc__,
    (
        (
            r"stack expects each tensor to be equal size, but got \[(?P<a>[\d, ]*)\] at entry 0 and \[(?P<b>[\d, "
            r"]*)\] at entry (?P<number>\d+)"
        ),
    ),
)


def explain(scene: Scene) -> Explanation:
    a, b = numbers(scene["a"]), numbers(scene["b"])
    cause = f"Entry 0 has shape {shape(a)}, entry {scene['number']} {shape(b)}, and stack needs equal shapes"
    if any("collate" in call.function for call in scene.calls) or "collate" in scene.message:
        what = (
            "pad them to one length, torch.nn.utils.rnn.pad_sequence"
            if len(a) == 1
            else "resize or crop them in the data set, or pad them"
        )
        fix = f"The samples of the data set differ in size: {what} in a collate_fn of the loader"
        return Explanation(cause, fix, _loader(scene))
    if len(a) == len(b) and a[1:] == b[1:] and a:
        call = scene.expression
        alone = isinstance(call, ast.Call) and scene.text(call.func) == "torch.stack" and len(call.args) == 1 and not call.keywords
        edit = scene.edit({call.func: "torch.cat"}) if alone and isinstance(call, ast.Call) else None
        return Explanation(cause, "They differ in their rows only: torch.cat joins them along the rows", scene.line, edit)
    return Explanation(cause, "Cut, pad or resize them to one shape, in a data set or in its collate_fn")


def _loader(scene: Scene) -> Line | None:
    """The only line of the script that makes a DataLoader."""
    source = scene.frames[-1].source if scene.seen else None
    if source is None:
        return None
    calls = [n for n in source.walk(ast.Call) if isinstance(n, ast.Call) and source.text(n.func).split(".")[-1] == "DataLoader"]
    return source.line(calls[0]) if len(calls) == 1 else None


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("torch.stack", "torch.cat")


_SCRIPT = """
import torch
batches = [torch.zeros(16, 2), torch.zeros(4, 2)]
result = torch.stack(batches)
"""
