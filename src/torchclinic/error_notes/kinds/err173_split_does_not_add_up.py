"""The parts of a split are not the whole.

## What it means
`random_split` wants lengths that sum to the length of the data set, or shares that sum to 1.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Give the rest to the last part, or pass shares: `random_split(data, [0.8, 0.1, 0.1])`.
## References
PyTorch documentation, `torch.utils.data.random_split`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR173", "split-does-not-add-up", __doc__, (r"Sum of input lengths does not equal the length of the input dataset",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The lengths of the parts do not sum to the length of the data set; int() rounds each of them down",
        "Give the rest to the last part, n - n_train - n_val, or pass shares that sum to 1",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("[7, 2]", "[7, 3]")


_SCRIPT = """
from torch.utils.data import random_split
parts = random_split(list(range(10)), [7, 2])
"""
