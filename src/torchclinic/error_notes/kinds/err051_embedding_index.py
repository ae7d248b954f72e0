"""An embedding is asked for a row that it does not have.

## What it means
An embedding of n rows has the indices 0 to n-1; vocabularies that keep 0 for padding need one row more.
## Evidence
The rows, and the smallest and the largest index.
## When this is fine
Never: the script stopped.
## Fix
Set `num_embeddings` to the largest id + 1 of the whole vocabulary, padding and special tokens included; check which ids go
where.
## References
PyTorch documentation, `torch.nn.Embedding`.
"""

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR051", "embedding-index", __doc__, (r"^index out of range in self", r"srcIndex < srcSelectDimSize"))


def explain(scene: Scene) -> Explanation:
    names = scene.call("embedding", "embedding_bag")
    ids, weight = names.get("input"), names.get("weight")
    if not isinstance(ids, Tensor) or not isinstance(weight, Tensor) or ids.numel() == 0:
        return Explanation(
            "An embedding was asked for a row it does not have: an index is negative or not below num_embeddings", _FIX
        )
    low, high, rows = int(ids.min()), int(ids.max()), weight.shape[0]
    cause = (
        f"{scene.layer_name or 'The embedding'} has {rows} rows, 0 to {rows - 1}, and is asked for "
        f"{high if high >= rows else low} (the indices of this batch go from {low} to {high})"
    )
    made = scene.construction
    at = made.argument(type(scene.layer), "num_embeddings") if made is not None and scene.layer is not None else None
    if high == rows and low >= 0 and made is not None and at is not None:
        text = f"{made.source.text(at)} + 1"
        edit = made.source.edit({at: text})
        return Explanation(
            cause,
            "If the ids are counted from 1 (0 for padding), or one was added later, the embedding needs one row more",
            edit.line,
            edit,
        )
    return Explanation(cause, _FIX)


_FIX = (
    "Set num_embeddings to the largest index + 1 of all data (padding and unknown included), and check that "
    "these are the ids that this embedding is for"
)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("Embedding(8", "Embedding(9")


_SCRIPT = """
import torch
embedding = torch.nn.Embedding(8, 4)
vectors = embedding(torch.tensor([1, 8]))
"""
