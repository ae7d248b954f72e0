"""A wrapper does not have what the model has.

## What it means
DataParallel and DistributedDataParallel pass on `forward` only.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`model.module.name`.
## References
PyTorch documentation, `torch.nn.parallel.DistributedDataParallel`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR148",
    "wrapper-hides-method",
    __doc__,
    (r"'(?P<kind>DataParallel|DistributedDataParallel)' object has no attribute '(?P<name>\w+)'",),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"{scene['kind']} passes on forward only; {scene['name']} belongs to the model that it wraps",
        f"Write model.module.{scene['name']}",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("model.in_features", "model.module.in_features")


_SCRIPT = """
import torch
model = torch.nn.DataParallel(torch.nn.Linear(2, 2))
print(model.in_features)
"""
