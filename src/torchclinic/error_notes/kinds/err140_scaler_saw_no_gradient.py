"""A gradient scaler steps an optimizer that has no gradient.

## What it means
`scaler.step(optimizer)` looks for gradients that are not finite and found no gradient at all.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`scaler.scale(loss).backward()` first, of a loss that depends on the optimizer's parameters; `scaler.step(optimizer)`
instead of `optimizer.step()`.
## References
PyTorch documentation, `torch.amp.GradScaler`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR140", "scaler-saw-no-gradient", __doc__, (r"No inf checks were recorded (for this optimizer|prior to update)",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The scaler found no gradient to look at: the loss does not depend on this optimizer's parameters, or"
        " the scaler was left out of backward or step",
        "scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update(), with an optimizer that holds"
        " the parameters that the loss depends on",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("scaler.scale(w.sum())", "scaler.scale(w.sum()).backward()")


_SCRIPT = """
import torch
scaler = torch.amp.GradScaler('cpu')
w = torch.ones(2, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
scaler.scale(w.sum())
scaler.step(optimizer)
"""
