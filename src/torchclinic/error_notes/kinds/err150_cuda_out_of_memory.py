"""The GPU has no memory left.

## What it means
Activations of the batch, gradients, the optimizer's state and whatever is still referenced share the GPU's memory.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
A smaller batch, gradient accumulation or checkpointing, mixed precision; `loss.item()` instead of kept losses;
`no_grad` in evaluation.
## References
PyTorch documentation, CUDA memory management.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR150", "cuda-out-of-memory", __doc__, (r"CUDA out of memory", r"HIP out of memory", r"MPS backend out of memory"))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The device has no memory left for the next tensor",
        "A smaller batch, accumulation, checkpointing or mixed precision; evaluate under no_grad, keep "
        "loss.item() rather than the loss; another process may hold memory, too (nvidia-smi)",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("raise torch.OutOfMemoryError", "str")


_SCRIPT = """
import torch
raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')
"""
