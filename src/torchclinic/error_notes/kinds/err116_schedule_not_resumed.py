"""A schedule is to go on where none was.

## What it means
With `last_epoch` other than -1 a schedule takes the run for a resumed one and looks for the rates that the first one
left in the optimizer.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Make the schedule without `last_epoch`, and give both their states by `load_state_dict`.
## References
PyTorch documentation, `torch.optim.lr_scheduler.LRScheduler`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR116", "schedule-not-resumed", __doc__, (r"param 'initial_lr' is not specified in param_groups\[\d+\] when resuming",)
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "With last_epoch other than -1 the schedule takes this for a resumed run, and the optimizer, which is"
        " new, holds no initial_lr",
        "Leave last_epoch out, and restore optimizer and schedule by load_state_dict of what was saved",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace(", last_epoch=9", "")


_SCRIPT = """
import torch
optimizer = torch.optim.SGD([torch.ones(2, requires_grad=True)], lr=0.1)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5, last_epoch=9)
"""
