"""A loss gets different numbers of predictions and targets.

## What it means
`cross_entropy` takes [N, C] logits and [N] classes; a view that mixes the batch with other dimensions changes N.
## Evidence
The two numbers and the shapes.
## When this is fine
Never: the script stopped.
## Fix
Keep dimension 0 as the batch, flatten(1); take the rows of the target that belong to the batch.
## References
PyTorch documentation, `torch.nn.CrossEntropyLoss`.
"""

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR060", "loss-batch-sizes", __doc__, (r"Expected input batch_size \((?P<a>\d+)\) to match target batch_size \((?P<b>\d+)\)",)
)


def explain(scene: Scene) -> Explanation:
    names = scene.call("cross_entropy", "nll_loss")
    logits, target = names.get("input"), names.get("target")
    known = isinstance(logits, Tensor) and isinstance(target, Tensor)
    cause = f"The loss got {scene['a']} rows of predictions and {scene['b']} targets"
    if known and isinstance(logits, Tensor) and isinstance(target, Tensor):
        cause += f" ({shape(logits.shape)} and {shape(target.shape)})"
        if logits.dim() == 3 and logits.shape[:2] == target.shape:
            return Explanation(cause, "Flatten both: logits.flatten(0, 1) and target.flatten()", scene.line)
    fix = (
        "A flatten, view or reshape that mixes the batch with other dimensions changes the rows: keep dimension 0, flatten(1); "
        "or the target is not that of this batch"
    )
    return Explanation(cause, fix)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("logits, target)", "logits, target[:20])")


_SCRIPT = """
import torch
logits, target = torch.zeros(20, 3), torch.zeros(60, dtype=torch.long)
loss = torch.nn.functional.cross_entropy(logits, target)
"""
