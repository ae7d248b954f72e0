"""A tensor of the graph is to become an array.

## What it means
NumPy knows no gradients.
## Evidence
The tensor.
## When this is fine
Never: the script stopped.
## Fix
`x.detach().cpu().numpy()` for looking at values; in a loss, stay in torch.
## References
PyTorch documentation, `torch.Tensor.numpy`.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import dotted

KIND = Kind("ERR095", "numpy-of-graph", __doc__, (r"Can't call numpy\(\) on Tensor that requires grad",))


def explain(scene: Scene) -> Explanation:
    cause = "NumPy knows no gradients, so a tensor of the graph cannot become an array"
    fix = "x.detach().cpu().numpy() for looking at values; in a loss, stay in torch, or the graph is cut"
    call, source = scene.expression, scene.frames[-1].source if scene.seen else None
    if source is None or not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "numpy":
        return Explanation(cause, fix)
    node = call.func.value
    return Explanation(cause, fix, scene.line, source.edit({node: f"{dotted(source.text(node), node)}.detach()"}))


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("x.numpy", "x.detach().numpy")


_SCRIPT = """
import torch
x = torch.ones(3, requires_grad=True)
values = x.numpy()
"""
