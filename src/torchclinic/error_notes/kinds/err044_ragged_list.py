"""A tensor is made of lists of different lengths.

## What it means
A tensor is rectangular: all rows have the same length.
## Evidence
The two lengths and the dimension.
## When this is fine
Never: the script stopped.
## Fix
Pad the lists to one length before, or use `torch.nn.utils.rnn.pad_sequence`.
## References
PyTorch documentation, `torch.tensor`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR044", "ragged-list", __doc__, (r"expected sequence of length (?P<want>\d+) at dim (?P<dim>\d+) \(got (?P<got>\d+)\)",)
)


def explain(scene: Scene) -> Explanation:
    cause = f"The lists have different lengths in dimension {scene['dim']}: the first {scene['want']}, another {scene['got']}"
    birth = scene.birth(scene.argument(0))
    return Explanation(
        cause,
        "Pad them to one length before torch.tensor, or make a tensor of each and use pad_sequence",
        birth.line if birth is not None else None,
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("[4, 5]", "[4, 5, 0]")


_SCRIPT = """
import torch
ids = torch.tensor([[1, 2, 3], [4, 5]])
"""
