"""A sample cannot become part of a batch.

## What it means
The default collate function stacks tensors, arrays and numbers, and goes into lists and dictionaries.
## Evidence
The message.
## When this is fine
Never: the script stopped.
## Fix
Return tensors from `__getitem__` (a transform, `ToTensor`), never None; or give the loader a `collate_fn`.
## References
PyTorch documentation, `torch.utils.data.default_collate`.
"""

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR170",
    "sample-cannot-be-collated",
    __doc__,
    (
        r"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found <class '(?P<kind>[^']+)'>",
        r"expected Tensor as element (?P<place>\d+) in argument 0, but got (?P<kind>\w+)",
    ),
)


def explain(scene: Scene) -> Explanation:
    return Explanation(
        f"A sample holds an object of type {scene['kind']}, which cannot be stacked into a batch",
        "Let __getitem__ return tensors: a transform for pictures, a return on every path (without one it "
        "gives None), broken rows left out beforehand; or pass collate_fn",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("[None, None]", "[1.0, 2.0]")


_SCRIPT = """
from torch.utils.data import DataLoader
batch = next(iter(DataLoader([None, None], batch_size=2)))
"""
