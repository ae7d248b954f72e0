"""Backward is called on a value that no gradient leads from.

## What it means
The graph was cut (detach, .data, .item, argmax, numpy, torch.tensor(loss)), the loss was computed under no_grad, or every
parameter is frozen.
## Evidence
The line that cut the graph, where it was watched.
## When this is fine
Never: the script stopped.
## Fix
Compute the loss from the model's output without those calls.
## References
PyTorch documentation, Autograd mechanics.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR093",
    "no-path-to-parameters",
    __doc__,
    (r"element 0 of tensors does not require grad and does not have a grad_fn",),
    covers=("WIR007",),
)


def explain(scene: Scene) -> Explanation:
    cause = (
        "The loss does not depend on any parameter that requires grad, as far as autograd saw: the graph was cut "
        "(detach, .data, .item, argmax, numpy, torch.tensor(loss)), it was computed under no_grad, or every "
        "parameter is frozen"
    )
    fix = (
        "Compute the loss from the model's output without those calls; check `loss.grad_fn` and "
        "`any(p.requires_grad for p in model.parameters())`"
    )
    event = scene.last("cut")
    if event is None:
        return Explanation(cause, fix, unseen=scene.blind)
    return Explanation(cause, fix, event.where, note=event.call)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("x.detach()", "x * 2")


_SCRIPT = """
import torch
x = torch.ones(3, requires_grad=True)
y = x.detach()
y.sum().backward()
"""
