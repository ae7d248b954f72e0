"""A plain tensor was assigned to a parameter.

## What it means
The name belongs to a parameter, so only `nn.Parameter` or None can take its place.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`nn.Parameter(tensor)`; to keep the parameter and change its values, `with torch.no_grad(): p.copy_(tensor)`.
## References
PyTorch documentation, `torch.nn.Parameter`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR162",
    "not-a-parameter",
    __doc__,
    (
        r"cannot assign '(?P<kind>[\w.]+)' as parameter '(?P<name>\w+)'",
        r"cannot assign '(?P<kind>[\w.]+)' object to parameter '(?P<name>\w+)'",
    ),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"'{scene['name']}' is a registered parameter, and {scene['kind']} was assigned to it",
        f"self.{scene['name']} = nn.Parameter(tensor); or, to keep the parameter that the optimizer knows, with "
        f"torch.no_grad(): self.{scene['name']}.copy_(tensor); to tie weights assign the other parameter itself, not "
        "its .data",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("torch.ones(2, 2)", "torch.nn.Parameter(torch.ones(2, 2))")


_SCRIPT = """
import torch
layer = torch.nn.Linear(2, 2)
layer.weight = torch.ones(2, 2)
"""
