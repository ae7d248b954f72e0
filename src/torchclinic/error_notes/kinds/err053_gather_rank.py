"""The index of gather or scatter has another number of dimensions than the tensor.

## What it means
`gather` and `scatter` take an index with as many dimensions as their input.
## Evidence
The two shapes.
## When this is fine
Never: the script stopped.
## Fix
Give the index the missing dimension, `index.unsqueeze(1)`, and squeeze the result.
## References
PyTorch documentation, `torch.gather`.
"""

import ast

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR053", "gather-rank", __doc__, (r"Index tensor must have the same number of dimensions as (?P<what>input|self|src) tensor",)
)


def explain(scene: Scene) -> Explanation:
    call = scene.expression
    node = (
        scene.argument(2, "index")
        if isinstance(call, ast.Call) and scene.text(call.func) in ("torch.gather", "torch.scatter")
        else scene.argument(1, "index")
    )
    index = scene.value(node) if node is not None else None
    fix = "Give the index the missing dimension, index.unsqueeze(1), and squeeze the result"
    if not isinstance(index, Tensor) or node is None:
        return Explanation("gather and scatter take an index with as many dimensions as their input", fix, scene.line)
    source = scene.frames[-1].source
    edit = None
    if source is not None and isinstance(call, ast.Call) and scene.text(call.func).endswith("gather") and index.dim() == 1:
        edit = scene.changed(node, "{}.unsqueeze(1)")
        if edit is not None:
            text = source.text(node)
            whole = source.text(call).replace(text, f"{text}.unsqueeze(1)") if source.text(call).count(text) == 1 else ""
            edit = source.edit({call: f"{whole}.squeeze(1)"}) if whole else edit
    return Explanation(
        f"{scene.text(node)} is {shape(index.shape)}: an index has as many dimensions as the tensor it goes into",
        fix,
        scene.line,
        edit,
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("(1, action)", "(1, action.unsqueeze(1))")


_SCRIPT = """
import torch
q, action = torch.zeros(32, 4), torch.zeros(32, dtype=torch.long)
taken = q.gather(1, action)
"""
