"""An array cannot become a tensor.

## What it means
Strings and Python objects have no tensor type; negative strides are not known to torch.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Numbers instead of strings (`np.unique(..., return_inverse=True)`), one dtype for the column, `.copy()` after `[::-1]`.
## References
PyTorch documentation, `torch.from_numpy`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR175",
    "array-that-is-no-tensor",
    __doc__,
    (
        r"can't convert np\.ndarray of type numpy\.(?P<kind>\w+)",
        r"At least one stride in the given numpy array is negative",
        r"expected np\.ndarray \(got (?P<kind>\w+)\)",
    ),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The array cannot become a tensor: its type is no number, a stride is negative, or it is no array at all",
        "Codes for strings (np.unique(..., return_inverse=True)), dtype=np.float32 for mixed columns, .copy()"
        " after [::-1], torch.tensor(...) for lists",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("['a', 'b']", "[1.0, 2.0]")


_SCRIPT = """
import numpy as np
import torch
x = torch.from_numpy(np.array(['a', 'b']))
"""
