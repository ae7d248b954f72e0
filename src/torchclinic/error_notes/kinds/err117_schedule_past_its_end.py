"""A schedule is advanced beyond its number of steps.

## What it means
OneCycleLR ends after `total_steps`, which is epochs times batches where it is advanced after each batch. The last,
smaller batch counts.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`steps_per_epoch=len(loader)`, not rows // batch_size; advance it once for each step.
## References
PyTorch documentation, `torch.optim.lr_scheduler.OneCycleLR`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR117",
    "schedule-past-its-end",
    __doc__,
    (r"Tried to step (?P<tried>\d+) times\. The specified number of total steps is (?P<total>\d+)",),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"The schedule was made for {scene['total']} steps and is advanced for the {scene['tried']}th time",
        "total_steps = epochs * len(loader): rows // batch_size leaves out the last, smaller batch; or it is "
        "advanced where it should not be",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("total_steps=3", "total_steps=9")


_SCRIPT = """
import torch
optimizer = torch.optim.SGD([torch.ones(2, requires_grad=True)], lr=0.1)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3)
for _ in range(4):
    optimizer.step()
    schedule.step()
"""
