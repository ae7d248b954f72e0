"""An optimizer was given the result of a computation.

## What it means
Only leaves can be optimized: what an operation has made is computed anew from other tensors.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Optimize the tensor it was computed from, or begin with `result.detach().requires_grad_()`.
## References
PyTorch documentation, `torch.Tensor.is_leaf`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR111", "optimizer-of-a-result", __doc__, (r"can't optimize a non-leaf Tensor",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The tensor is the result of an operation with a graph, not a leaf: a step would change a number that is computed anew",
        "Give the optimizer x.detach().clone().requires_grad_(), made before, or the tensors that x is computed from",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace(") * 2", ")")


_SCRIPT = """
import torch
x = torch.ones(3, requires_grad=True) * 2
optimizer = torch.optim.SGD([x], lr=0.1)
"""
