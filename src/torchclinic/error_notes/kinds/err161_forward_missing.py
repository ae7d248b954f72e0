"""A module has no forward.

## What it means
`model(x)` calls `forward`. ModuleList and ModuleDict only hold modules.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Name the method `forward` and indent it like `__init__`; loop over a ModuleList, or take `nn.Sequential`.
## References
PyTorch documentation, `torch.nn.Module.forward`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR161", "forward-missing", __doc__, (r"Module \[(?P<name>\w+)\] is missing the required \"forward\" function",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"{scene['name']} has no method forward: it is spelt otherwise, stands inside another method, or the module "
        "only holds others (ModuleList, ModuleDict)",
        "Name it forward and indent it like __init__; loop over a ModuleList, or make it an nn.Sequential",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("foward", "forward")


_SCRIPT = """
import torch


class Net(torch.nn.Module):
    def foward(self, x):
        return x


Net()(torch.ones(2))
"""
