"""A bfloat16 tensor is to become an array.

## What it means
NumPy has no such type. Under autocast the outputs of layers are bfloat16 or float16.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
`x.float().numpy()`.
## References
PyTorch documentation, `torch.Tensor.numpy`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR142", "numpy-knows-no-bfloat16", __doc__, (r"Got unsupported ScalarType (?P<name>BFloat16|ComplexHalf|Float8\w*)",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"NumPy has no type {scene['name']}, which is what autocast or a conversion made of the tensor",
        "Convert first: x.float().numpy()",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace(".numpy()", ".float().numpy()")


_SCRIPT = """
import torch
values = torch.ones(2, dtype=torch.bfloat16).numpy()
"""
