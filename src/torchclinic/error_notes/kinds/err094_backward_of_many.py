"""Backward is called on a tensor of several elements.

## What it means
backward() starts from one number.
## Evidence
The tensor.
## When this is fine
Never: the script stopped.
## Fix
Reduce it first: `loss.mean().backward()`.
## References
PyTorch documentation, `torch.Tensor.backward`.
"""

import ast

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import dotted

KIND = Kind("ERR094", "backward-of-many", __doc__, (r"grad can be implicitly created only for scalar outputs",))


def explain(scene: Scene) -> Explanation:
    call = scene.expression
    node = call.func.value if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else None
    tensor = scene.value(node) if node is not None else None
    sizes = f", {shape(tensor.shape)}" if isinstance(tensor, Tensor) else ""
    cause = (
        f"backward() starts from one number, and this tensor has several elements{sizes} (a loss with "
        "reduction='none' has one per sample)"
    )
    fix = "Reduce it first: loss.mean().backward() (or reduction='mean' in the loss)"
    source = scene.frames[-1].source if scene.seen else None
    if source is None or node is None or not isinstance(tensor, Tensor):
        return Explanation(cause, fix)
    return Explanation(cause, fix, scene.line, source.edit({node: f"{dotted(source.text(node), node)}.mean()"}))


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("(x * 2).backward()", "(x * 2).mean().backward()")


_SCRIPT = """
import torch
x = torch.ones(3, requires_grad=True)
(x * 2).backward()
"""
