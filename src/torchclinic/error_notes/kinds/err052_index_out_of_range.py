"""An index lies outside its dimension.

## What it means
A dimension of n has the indices 0 to n-1, and -n to -1.
## Evidence
The index, the dimension, its size.
## When this is fine
Never: the script stopped.
## Fix
Take the index from the tensor that is indexed (`len(x)`, `x.size(dim)`), and count from 0.
## References
PyTorch documentation, Tensor indexing, `torch.gather`.
"""

import ast

from torch import Tensor, nn

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR052",
    "index-out-of-range",
    __doc__,
    (
        r"index (?P<index>-?\d+) is out of bounds for dimension (?P<dim>\d+) with size (?P<size>\d+)",
        r"tried to access index (?P<flat>-?\d+) on a tensor of (?P<numel>\d+) elements",
        r"selected index k out of range",
        r"index (?P<item>-?\d+) is out of range$",
    ),
    types=("IndexError", "RuntimeError"),
)


def explain(scene: Scene) -> Explanation:
    call = scene.expression
    if "selected index k" in scene.message:
        return _top(scene)
    if scene["flat"]:
        return Explanation(
            f"Position {scene['flat']} is asked for, and the tensor has {scene['numel']} elements",
            "A flat position is row · width + column, with the width of the tensor that is indexed",
        )
    if scene["item"]:
        held = scene.layer if isinstance(scene.layer, nn.ModuleList | nn.Sequential) else None
        count = f", and there are {len(held)}" if held is not None else ""
        return Explanation(
            f"Module {scene['item']} of a list is asked for{count}",
            "Let the loop go over the list itself, or build as many modules as it asks for",
        )
    size = scene.number("size")
    cause = f"Index {scene['index']} does not exist in dimension {scene['dim']}, whose indices are 0 to {size - 1}"
    if size == 1 and scene["index"] == "1":
        return Explanation(
            cause, "There is a single column: for one logit take [:, 0] (with a sigmoid); two columns need two outputs", scene.line
        )
    method = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
    node = (
        scene.argument(1, "index")
        if method in ("gather", "scatter", "scatter_", "index_select", "scatter_add", "index_add_")
        else None
    )
    index = scene.value(node) if node is not None else None
    if isinstance(index, Tensor) and index.numel() and node is not None:
        low, high = int(index.min()), int(index.max())
        cause += f"; {scene.text(node)} goes from {low} to {high}"
        if (low, high) == (1, size):
            edit = scene.repair(node, "{} - 1", lambda t: t - 1)
            return Explanation(cause + ": it is counted from 1", "Count from 0", None if edit else scene.line, edit)
    birth = scene.birth(scene.expression.slice) if isinstance(scene.expression, ast.Subscript) else None
    return Explanation(
        cause,
        "Take the index from the tensor that is indexed (len(x), x.size(dim)), and count from 0",
        birth.line if birth is not None else None,
    )


def _top(scene: Scene) -> Explanation:
    call = scene.expression
    tensor = scene.value(call.func.value) if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else None
    node = scene.argument(0, "k") if isinstance(tensor, Tensor) else scene.argument(1, "k")
    tensor = tensor if isinstance(tensor, Tensor) else scene.value(scene.argument(0)) if scene.argument(0) is not None else None  # type: ignore[arg-type]
    k = scene.value(node) if node is not None else None
    if not isinstance(tensor, Tensor) or not isinstance(k, int) or node is None or not isinstance(call, ast.Call):
        return Explanation("topk was asked for more values than the dimension has", "Limit k to the size of the dimension")
    dim = next((scene.value(w.value) for w in call.keywords if w.arg == "dim"), -1)
    text = scene.text(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    size = tensor.shape[dim] if isinstance(dim, int) else 0
    edit = scene.edit({node: f"min({scene.text(node)}, {text}.size({dim}))"}) if size else None
    return Explanation(f"topk was asked for the best {k} of {size}", f"Limit k to the {size} that there are", scene.line, edit)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("[:, 4]", "[:, 3]")


_SCRIPT = """
import torch
scores = torch.zeros(3, 4)
best = scores[:, 4]
"""
