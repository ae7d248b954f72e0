"""A data set does not say how many samples it has.

## What it means
Shuffling and `len(loader)` need `__len__`.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Define `__len__` beside `__getitem__`.
## References
PyTorch documentation, `torch.utils.data.Dataset`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR174", "no-length", __doc__, (r"object of type '(?P<kind>\w+)' has no len\(\)",))


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"{scene['kind']} has no __len__, and shuffling, or len(), needs the number of samples",
        "Define __len__(self) beside __getitem__; an IterableDataset has none, so leave shuffle out and count otherwise",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("len(Rows())", "Rows()[0]")


_SCRIPT = """
from torch.utils.data import DataLoader, Dataset


class Rows(Dataset):
    def __getitem__(self, i):
        return i


len(Rows())
"""
