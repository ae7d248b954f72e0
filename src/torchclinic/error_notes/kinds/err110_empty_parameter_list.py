"""An optimizer was given no parameters.

## What it means
`parameters()` was empty: layers kept in a plain list or dictionary are no parts of a module, and a generator that was
read once gives nothing more.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Keep layers in `nn.ModuleList` or `nn.ModuleDict`; call `model.parameters()` anew for each use.
## References
PyTorch documentation, `torch.nn.ModuleList`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR110", "empty-parameter-list", __doc__, (r"optimizer got an empty parameter list",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The optimizer found no parameter in what it was given: the model has none that it knows of, or its "
        "generator has been read to the end before",
        "Keep layers in nn.ModuleList rather than in a list; call model.parameters() anew, as a generator "
        "gives its parameters once",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("(parameters, lr", "(list(torch.nn.Linear(2, 2).parameters()), lr")


_SCRIPT = """
import torch
parameters = torch.nn.Linear(2, 2).parameters()
count = sum(p.numel() for p in parameters)
optimizer = torch.optim.SGD(parameters, lr=0.1)
"""
