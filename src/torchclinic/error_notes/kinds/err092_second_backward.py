"""Backward goes through a part of a graph a second time.

## What it means
A backward pass frees what its graph has saved. In a loop, a tensor of the last iteration still hangs on its graph: a hidden
state, a running loss.
## Evidence
The line of the first backward pass, where it was watched.
## When this is fine
Never: the script stopped.
## Fix
Detach what crosses iterations; add two losses and go backward once.
## References
PyTorch documentation, `torch.Tensor.backward`, retain_graph.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR092", "second-backward", __doc__, (r"Trying to backward through the graph a second time",))


def explain(scene: Scene) -> Explanation:
    cause = (
        "A backward pass frees the tensors its graph saved, and a part of this graph has been through one "
        "already. In a loop that is a tensor of the last iteration that still hangs on its graph (a hidden "
        "state, a running loss)"
    )
    fix = (
        "Detach what crosses iterations (state = state.detach(), total += loss.item()); for two losses, add them "
        "and go backward once; retain_graph=True only where the same graph is meant to be used twice"
    )
    earlier = next(iter(scene.past.events("backward")), None) if scene.past is not None else None
    if earlier is None:
        return Explanation(cause, fix, unseen=scene.blind)
    return Explanation(cause, fix, earlier.where, note="the first backward")


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("\nloss.backward()\nloss.backward()", "\nloss.backward()")


_SCRIPT = """
import torch
x = torch.ones(3, requires_grad=True)
loss = (x * x).sum()
loss.backward()
loss.backward()
"""
