"""A class target is no class of the logits.

## What it means
`cross_entropy` and `nll_loss` take classes 0 to C-1, C being the size of dimension 1 of the logits.
## Evidence
The target, the shape of the logits, the range of the targets.
## When this is fine
Never: the script stopped.
## Fix
Number the classes from 0, give the last layer one output per class, or pass `ignore_index` for labels that shall not count.
## References
PyTorch documentation, `torch.nn.CrossEntropyLoss`.
"""

import ast
import copy

from torch import Tensor, nn

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit
from torchclinic.script.lines import Line

KIND = Kind(
    "ERR050",
    "class-out-of-range",
    __doc__,
    (
        r"Target (?P<index>-?\d+) is out of bounds",
        r"t >= 0 && t < n_classes",
        r"Class values must be (?P<onehot>smaller than num_classes|non-negative)",
    ),
    covers=("DAT008",),
)


def explain(scene: Scene) -> Explanation:
    if scene["onehot"]:
        return _one_hot(scene)
    names = scene.call("cross_entropy", "nll_loss", "nll_loss_nd")
    logits, target = names.get("input"), names.get("target")
    which = f"A target is {scene['index']}" if scene["index"] else "A target lies"
    if not isinstance(logits, Tensor) or not isinstance(target, Tensor) or target.numel() == 0:
        return Explanation(f"{which}, outside the classes that the logits have", _GENERAL)
    classes = logits.shape[1] if logits.dim() > 1 else logits.shape[0]
    low, high = int(target.min()), int(target.max())
    cause = (
        f"{which}, and the logits {shape(logits.shape)} have {classes} classes, 0 to {classes - 1}. The targets "
        f"go from {low} to {high}"
    )
    node = scene.argument(1, "target")
    rest = target[(target >= 0) & (target < classes)]
    odd = set(target[(target < 0) | (target >= classes)].unique().tolist())
    if low == 1 and high == classes:
        cause += ": they are counted from 1"
        edit = scene.repair(node, "{} - 1", lambda t: t - 1) if node is not None else None
        return Explanation(
            cause, "Subtract 1 from the labels (a further output would only hide it)", _origin(scene, node, edit), edit
        )
    if odd in ({-1}, {255}) and rest.numel() and (odd == {-1} or classes < 250):
        value = odd.pop()
        cause += f"; only {value} is none, which commonly marks what shall not count"
        return Explanation(
            cause, f"If {value} marks what shall not count, tell the loss: ignore_index={value}", *_ignoring(scene, value)
        )
    if classes == 1 and (low, high) in ((0, 1), (1, 1)):
        fix = "Give the network two outputs, or keep one and use BCEWithLogitsLoss with targets.float()"
        return Explanation(cause + ". A network of one output has no class 1", fix)
    return Explanation(cause, _GENERAL)


_GENERAL = (
    "Give the last layer one output per class, or number the classes from 0 (labels 1..C: subtract 1); a "
    "label that is to be skipped needs ignore_index"
)


def _origin(scene: Scene, node: ast.expr | None, edit: Edit | None) -> Line | None:
    return edit.line if edit is not None else scene.line


def _ignoring(scene: Scene, value: int) -> tuple[Line | None, Edit | None]:
    """The call of the function, or the construction of the loss, with ignore_index."""
    call = scene.expression
    if not isinstance(call, ast.Call) or not scene.seen:
        return None, None
    made = scene.construction
    if isinstance(scene.layer, nn.CrossEntropyLoss | nn.NLLLoss):
        if made is None or any(k.arg == "ignore_index" for k in made.call.keywords):
            return None, None
        loss = copy.copy(scene.layer)
        loss.ignore_index = value
        names = scene.call("cross_entropy", "nll_loss")
        try:
            loss(names["input"].detach(), names["target"])
        except Exception:  # noqa: BLE001 - it does not help
            return made.source.line(made.call), None
        return None, made.source.edit({made.call: _with(made.source.text(made.call), value)})
    source = scene.frames[-1].source
    text = source.text(call) if source is not None else ""
    return scene.line, scene.edit({call: _with(text, value)}) if text else None


def _with(text: str, value: int) -> str:
    inside = text[:-1].rstrip().rstrip(",")
    return f"{inside}{'' if inside.endswith('(') else ', '}ignore_index={value})"


def _one_hot(scene: Scene) -> Explanation:
    node, count = scene.argument(0, "tensor"), scene.argument(1, "num_classes")
    ids = scene.value(node) if node is not None else None
    if not isinstance(ids, Tensor) or ids.numel() == 0:
        return Explanation(
            "one_hot got a class that is not between 0 and num_classes - 1",
            "Use the number of all classes, not only of those that occur here",
        )
    low, high = int(ids.min()), int(ids.max())
    number = scene.value(count) if count is not None else None
    wanted = f", and num_classes is {number}" if isinstance(number, int) else ""
    birth = scene.first_birth(count)
    fix = "Use the number of all classes of the task, not only of those that occur in one part of the data"
    return Explanation(f"The classes go from {low} to {high}{wanted}", fix, birth.line if birth is not None else scene.line)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("(logits, target)", "(logits, target - 1)")


_SCRIPT = """
import torch
logits, target = torch.zeros(5, 5), torch.tensor([1, 2, 3, 4, 5])
loss = torch.nn.functional.cross_entropy(logits, target)
"""
