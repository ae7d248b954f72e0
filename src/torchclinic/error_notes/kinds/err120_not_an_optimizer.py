"""A schedule was given something else than an optimizer.

## What it means
A schedule changes learning rates, which the optimizer holds.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Pass the optimizer first: `StepLR(optimizer, ...)`.
## References
PyTorch documentation, `torch.optim.lr_scheduler`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR120", "not-an-optimizer", __doc__, (r"^(?P<kind>\w+) is not an Optimizer",), types=("TypeError",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"The schedule was given an object of type {scene['kind']}; the learning rates are in the optimizer",
        "Pass the optimizer as its first argument",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("StepLR(model,", "StepLR(torch.optim.SGD(model.parameters(), 0.1),")


_SCRIPT = """
import torch
model = torch.nn.Linear(2, 2)
schedule = torch.optim.lr_scheduler.StepLR(model, 2)
"""
