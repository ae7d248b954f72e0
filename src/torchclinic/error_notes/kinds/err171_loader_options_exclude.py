"""Options of a DataLoader contradict each other.

## What it means
A sampler decides on the order, a batch sampler on order and size; an iterable data set decides itself.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Leave the other option out.
## References
PyTorch documentation, `torch.utils.data.DataLoader`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR171",
    "loader-options-exclude",
    __doc__,
    (
        r"(?P<name>batch_sampler|sampler) option is mutually exclusive with (?P<other>[\w, ]+)",
        r"DataLoader with IterableDataset: expected unspecified (?P<other>\w+) option",
    ),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"Options contradict each other: {scene['other']} is decided elsewhere",
        f"Leave {scene['other']} out: a sampler decides on the order, a batch sampler on order and size, an "
        "IterableDataset itself (shuffle in its __iter__)",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace(", shuffle=True", "")


_SCRIPT = """
from torch.utils.data import DataLoader, SequentialSampler
loader = DataLoader([1, 2], sampler=SequentialSampler([1, 2]), shuffle=True)
"""
