"""A kernel on the GPU found an index out of range.

## What it means
Kernels run later than Python: the line that is shown is not the one at fault. Nearly always a class index lies outside the
logits or a token outside an embedding.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Run the same batch on the CPU for the exact message, or with CUDA_LAUNCH_BLOCKING=1 for the exact line; restart the process.
## References
PyTorch documentation, CUDA semantics, asynchronous execution.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR081", "device-assert", __doc__, (r"device-side assert triggered",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        (
            "A kernel found an index out of range: nearly always a class index outside the logits' classes or a "
            "token outside an embedding. Kernels run later than Python, so the line shown is not the one at fault"
        ),
        (
            "Run the same batch on the CPU for the exact message, or with CUDA_LAUNCH_BLOCKING=1 for the exact line; "
            "restart the process, as the device stays unusable"
        ),
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace('raise RuntimeError("CUDA error: device-side assert triggered")', "y = x + 1")


_SCRIPT = """
import torch

x = torch.zeros(1)
raise RuntimeError("CUDA error: device-side assert triggered")
"""
