"""An optimizer was given something else than parameters.

## What it means
An optimizer wants an iterable of tensors, or of dictionaries with the key `params`.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`model.parameters()` with its parentheses; `[x]` for a single tensor; not the state dict, whose keys are strings.
## References
PyTorch documentation, `torch.optim.Optimizer`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR119",
    "not-parameters",
    __doc__,
    (
        r"optimizer can only optimize Tensors, but one of the params is (?P<kind>[\w.]+)",
        r"params argument given to the optimizer should be an iterable of Tensors or dicts, but got (?P<kind>[\w.]+)",
    ),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"The optimizer was given {scene['kind']} where it wants an iterable of tensors, or of dictionaries with the key 'params'",
        "model.parameters(), with parentheses; [x] for a single tensor; not the state dict, whose keys are strings",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("SGD(torch.ones(2, requires_grad=True),", "SGD([torch.ones(2, requires_grad=True)],")


_SCRIPT = """
import torch
optimizer = torch.optim.SGD(torch.ones(2, requires_grad=True), lr=0.1)
"""
