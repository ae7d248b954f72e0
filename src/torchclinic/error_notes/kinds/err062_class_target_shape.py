"""Class targets have a dimension too many, or the classes stand in another dimension.

## What it means
`cross_entropy` takes logits [N, C] or [N, C, ...] and classes [N] or [N, ...]: the classes are dimension 1 of the logits, and
no dimension of the target.
## Evidence
The shapes of logits and target.
## When this is fine
Never: the script stopped.
## Fix
Squeeze the column, `argmax` one-hot rows, move the classes to dimension 1.
## References
PyTorch documentation, `torch.nn.CrossEntropyLoss`.
"""

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR062",
    "class-target-shape",
    __doc__,
    (
        r"0D or 1D target tensor expected, multi-target not supported",
        r"only batches of spatial targets supported \(3D tensors\) but got targets of dimension: (?P<spatial>\d)",
        r"Expected target size \[(?P<want>[\d, ]+)\], got \[(?P<got>[\d, ]+)\]",
    ),
)


def explain(scene: Scene) -> Explanation:
    names = scene.call("cross_entropy", "nll_loss", "cosine_embedding_loss")
    logits, target = names.get("input"), names.get("target")
    node = scene.argument(2, "target") if scene.call("cosine_embedding_loss") else scene.argument(1, "target")
    if scene["want"]:
        want, got = numbers(scene["want"]), numbers(scene["got"])
        sizes = f" {shape(logits.shape)}" if isinstance(logits, Tensor) else ""
        cause = (
            f"cross_entropy takes dimension 1 of the logits{sizes} for the classes, so it wants targets of "
            f"{shape(want)} and got {shape(got)}"
        )
        if isinstance(logits, Tensor) and tuple(logits.shape[:-1]) == got:
            form = "{}.transpose(1, 2)" if logits.dim() == 3 else "{}.movedim(-1, 1)"
            edit = scene.changed(scene.argument(0, "input"), form)
            return Explanation(
                cause + ": the classes come last",
                f"Move them to dimension 1, logits{form[2:]}, or flatten both over batch and steps",
                scene.line,
                edit,
            )
        return Explanation(cause, "Move the classes to dimension 1, logits.transpose(1, 2), or flatten both over batch and steps")
    if not isinstance(target, Tensor):
        fix = "target.squeeze(1) for a column of indices, target.argmax(1) or target.float() for one-hot rows"
        return Explanation("The loss takes one class number per row, shape (batch,), and the target has a further dimension", fix)
    cause = f"The loss takes one class number per position, and the target is {shape(target.shape)}: it has a dimension too many"
    if target.dim() > 1 and target.shape[1] == 1:
        edit = scene.repair(node, "{}.squeeze(1)", lambda t: t.squeeze(1))
        return Explanation(cause, "Squeeze it: target.squeeze(1)", None if edit else scene.line, edit)
    hot = isinstance(logits, Tensor) and logits.shape == target.shape
    edit = scene.changed(node, "{}.argmax(1)") if hot else None
    return Explanation(cause, "target.argmax(1) for one-hot rows (or target.float() as probabilities)", scene.line, edit)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("logits, target)", "logits, target.squeeze(1))")


_SCRIPT = """
import torch
logits, target = torch.zeros(20, 3), torch.zeros(20, 1, dtype=torch.long)
loss = torch.nn.functional.cross_entropy(logits, target)
"""
