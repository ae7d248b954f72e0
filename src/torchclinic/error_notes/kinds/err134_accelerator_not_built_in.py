"""This build of PyTorch does not know an accelerator.

## What it means
The accelerators of Apple, Intel and others are in builds for them only.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Ask `torch.backends.mps.is_available()` (or `torch.accelerator.is_available()`) and fall back to the CPU.
## References
PyTorch documentation, `torch.backends.mps`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR134", "accelerator-not-built-in", __doc__, (r"PyTorch is not linked with support for (?P<name>\w+) devices",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"This build of PyTorch has no support for '{scene['name']}'",
        "Ask whether it is available (torch.backends.mps.is_available()) and use 'cpu' otherwise",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("raise RuntimeError", "str")


_SCRIPT = """
raise RuntimeError('PyTorch is not linked with support for mps devices')
"""
