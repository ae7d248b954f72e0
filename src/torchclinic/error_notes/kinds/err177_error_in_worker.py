"""A worker of a DataLoader raised.

## What it means
The error happened in `__getitem__` or `collate_fn`, in another process; the lines below *Original Traceback* tell
where.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Read the original traceback; `num_workers=0` shows the error at its place.
## References
PyTorch documentation, `torch.utils.data.DataLoader`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR177", "error-in-worker", __doc__, (r"Caught (?P<kind>\w+) in (?P<what>DataLoader worker process \d+|pin memory thread)",)
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"{scene['kind']} was raised in {scene['what']}, and is passed on from there",
        "Read the lines below 'Original Traceback': they name the line of __getitem__ or collate_fn; "
        "num_workers=0 lets it happen here",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("{0: 1.0}[i]", "{0: 1.0, 1: 2.0}[i]")


_SCRIPT = """
from torch.utils.data import DataLoader, Dataset


class Rows(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return {0: 1.0}[i]


if __name__ == '__main__':
    for batch in DataLoader(Rows(), num_workers=1):
        pass
"""
