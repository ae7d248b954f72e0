"""A device has a name that PyTorch does not know.

## What it means
Devices are called `cpu`, `cuda`, `cuda:0`, `mps`, `xpu` ...; there is no `gpu`.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Write `cuda` for NVIDIA and AMD cards, with a number after the colon or without a colon.
## References
PyTorch documentation, `torch.device`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR131",
    "device-name-unknown",
    __doc__,
    (
        r"Expected one of cpu, cuda, .*?device type at start of device string: (?P<name>\S*)",
        r"Invalid device string: '(?P<name>[^']*)'",
    ),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"'{scene['name']}' is no name of a device",
        "'cuda' or 'cuda:0' for NVIDIA and AMD cards, 'mps' for Apple's, 'cpu'; there is no 'gpu', and a colon wants a number",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("'gpu'", "'cpu'")


_SCRIPT = """
import torch
device = torch.device('gpu')
"""
