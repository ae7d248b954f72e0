"""Something else than a module was to be part of a module.

## What it means
`nn.Sequential` takes modules as separate arguments.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Instances, not classes: `nn.ReLU()`; unpack a list: `nn.Sequential(*layers)`.
## References
PyTorch documentation, `torch.nn.Sequential`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR163",
    "not-a-module",
    __doc__,
    (r"(?P<kind>[\w.]+) is not a Module subclass", r"cannot assign '(?P<kind>[\w.]+)' as child module '(?P<name>\w+)'"),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"{scene['kind']} was given where a module is wanted",
        "An instance, not the class (nn.ReLU()); a list is unpacked (nn.Sequential(*layers)); a name that "
        "holds a module cannot hold a number",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("([torch.nn.Linear(2, 2)])", "(torch.nn.Linear(2, 2))")


_SCRIPT = """
import torch
model = torch.nn.Sequential([torch.nn.Linear(2, 2)])
"""
