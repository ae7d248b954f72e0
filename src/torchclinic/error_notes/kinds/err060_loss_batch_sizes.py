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
    pair = names.get("input"), names.get("target")
    shapes = f" ({shape(pair[0].shape)} and {shape(pair[1].shape)})" if all(isinstance(t, Tensor) for t in pair) else ""
    cause = f"The loss got {scene['a']} rows of predictions and {scene['b']} targets{shapes}"
    fix = "A flatten, view or reshape that mixes the batch with other dimensions changes the rows: keep dimension 0, flatten(1); or the target is not that of this batch"
    if not shapes:
        return Explanation(cause, fix)
    target = scene.argument(1, "target")
    wanted = scene.number("a")
    logits = scene.argument(0, "input")
    source = scene.frames[-1].source
    a = scene.value(logits) if logits is not None else None
    if isinstance(a, Tensor) and a.dim() == 3 and tuple(a.shape[:2]) == tuple(pair[1].shape):
        return Explanation(cause, "Flatten both: logits.flatten(0, 1) and target.flatten()", scene.line)
    births = scene.births(target)
    whole = next((b for b in births if source is not None and b.expression is not None), None)
    del whole, wanted
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
