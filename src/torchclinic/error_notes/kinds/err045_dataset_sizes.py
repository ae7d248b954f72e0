"""The tensors of a TensorDataset have different numbers of rows.

## What it means
A TensorDataset gives row i of each tensor as sample i.
## Evidence
The sizes of dimension 0.
## When this is fine
Never: the script stopped.
## Fix
Cut both at the same places: windows of a series have no target for the first window.
## References
PyTorch documentation, `torch.utils.data.TensorDataset`.
"""

import ast

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR045", "dataset-sizes", __doc__, (r"^Size mismatch between tensors",))


def explain(scene: Scene) -> Explanation:
    call = scene.expression
    tensors = [scene.value(a) for a in call.args] if isinstance(call, ast.Call) else []
    known = bool(tensors) and all(isinstance(t, Tensor) for t in tensors)
    sizes = (
        ", ".join(f"{scene.text(a)} has {t.shape[0]}" for a, t in zip(call.args, tensors, strict=True))
        if known and isinstance(call, ast.Call)
        else ""
    )
    cause = f"The tensors of a data set need the same number of rows{': ' + sizes if sizes else ''}"
    return Explanation(cause, "Cut them at the same places; of a series of windows, the targets begin behind the first window")


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("torch.zeros(100)", "torch.zeros(95)")


_SCRIPT = """
import torch
from torch.utils.data import TensorDataset
x, y = torch.zeros(95, 5), torch.zeros(100)
rows = TensorDataset(x, y)
"""
