"""A backend of torch.compile has a name that is not known.

## What it means
The default is called `inductor`; `eager` and `aot_eager` compile nothing and serve to look for faults.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Correct the name or leave it out.
## References
PyTorch documentation, `torch.compile`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR151", "compile-backend-unknown", __doc__, (r"Invalid backend: '(?P<name>[^']*)'",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"There is no backend '{scene['name']}'",
        "'inductor' is the default; 'eager' and 'aot_eager' compile nothing and serve to look for faults",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("'inductr'", "'eager'")


_SCRIPT = """
import torch
model = torch.compile(torch.nn.Linear(2, 2), backend='inductr')
model(torch.ones(1, 2))
"""
