"""A module was used before its `__init__`.

## What it means
`nn.Module.__init__` makes the tables in which parameters and modules are kept.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`super().__init__()` as the first line of `__init__`.
## References
PyTorch documentation, `torch.nn.Module`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR160", "super-init-missing", __doc__, (r"cannot assign (?P<what>\w+) before Module\.__init__\(\) call",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"Something was assigned ({scene['what']}) before nn.Module.__init__ had run, which makes the place where it is kept",
        "super().__init__() as the first line of the class's __init__",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("        self.layer", "        super().__init__()\n        self.layer")


_SCRIPT = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        self.layer = torch.nn.Linear(2, 2)


Net()
"""
