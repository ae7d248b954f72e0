"""A schedule on a plateau is advanced without its metric.

## What it means
ReduceLROnPlateau lowers the rate when a number stops improving; it must be given that number.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`scheduler.step(validation_loss)`, once for each evaluation.
## References
PyTorch documentation, `torch.optim.lr_scheduler.ReduceLROnPlateau`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR118", "plateau-without-metric", __doc__, (r"ReduceLROnPlateau\.step\(\) missing 1 required positional argument: 'metrics'",)
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "ReduceLROnPlateau lowers the rate when a metric stops improving, and step() was not given the metric",
        "scheduler.step(validation_loss), once after each evaluation",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("schedule.step()", "schedule.step(1.0)")


_SCRIPT = """
import torch
optimizer = torch.optim.SGD([torch.ones(2, requires_grad=True)], lr=0.1)
schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
schedule.step()
"""
