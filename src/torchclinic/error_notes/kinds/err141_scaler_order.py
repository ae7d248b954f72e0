"""A gradient scaler is called out of order.

## What it means
Between two updates each optimizer is unscaled at most once and stepped at most once.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`backward`, `unscale_` (to clip), `step`, `update`, once each; where gradients are accumulated all four come once per
step.
## References
PyTorch documentation, `torch.amp.GradScaler`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR141",
    "scaler-order",
    __doc__,
    (
        r"(?P<what>step\(\)|unscale_\(\)) has already been called (on this optimizer )?since the last update\(\)",
        r"unscale_\(\) is being called after step\(\)",
    ),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The scaler was called twice where once is allowed: between two calls of update() each optimizer is "
        "unscaled and stepped at most once",
        "Once per step and in this order: scale(loss).backward(), unscale_(optimizer), clip, step(optimizer), update()",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("scaler.unscale_(optimizer)\nscaler.unscale_(optimizer)\n", "scaler.unscale_(optimizer)\n")


_SCRIPT = """
import torch
scaler = torch.amp.GradScaler('cpu')
w = torch.ones(2, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
scaler.scale(w.sum()).backward()
scaler.unscale_(optimizer)
scaler.unscale_(optimizer)
"""
