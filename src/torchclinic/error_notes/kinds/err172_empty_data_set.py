"""A data set has no samples.

## What it means
A random sampler cannot draw from nothing: a wrong folder, a pattern that matches no file, a filter that drops all.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Print the folder and `len(dataset)`.
## References
PyTorch documentation, `torch.utils.data.RandomSampler`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR172", "empty-data-set", __doc__, (r"num_samples should be a positive integer value, but got num_samples=0",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        "The data set is empty, and a shuffling loader cannot draw from nothing",
        "Look at what fills it: a folder, a file pattern ('*.pt' with a suffix that has its dot already), a filter that drops all",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("[]", "[1]")


_SCRIPT = """
from torch.utils.data import DataLoader
loader = DataLoader([], shuffle=True)
"""
