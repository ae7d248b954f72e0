"""This build of PyTorch has no CUDA.

## What it means
A CPU build of PyTorch, or one for another accelerator, was asked for CUDA.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Choose the device once: `device = 'cuda' if torch.cuda.is_available() else 'cpu'`, and make everything on it; or install
a CUDA build.
## References
PyTorch documentation, `torch.cuda.is_available`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR130",
    "no-cuda-in-this-build",
    __doc__,
    (r"Torch not compiled with CUDA enabled", r"(Cannot initialize CUDA|Cannot get CUDA generator) without ATen_cuda library"),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "This build of PyTorch has no CUDA, and a tensor, a module or a generator was to be on 'cuda'",
        "device = 'cuda' if torch.cuda.is_available() else 'cpu', once, and .to(device) everywhere; for a GPU install a CUDA build",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("device='cuda')", "device='cpu')")


_SCRIPT = """
import torch
if torch.cuda.is_available():
    raise AssertionError('Torch not compiled with CUDA enabled')
x = torch.ones(2, device='cuda')
"""
