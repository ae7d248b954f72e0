"""Binary cross entropy gets values outside 0 to 1.

## What it means
`BCELoss` takes probabilities and targets between 0 and 1.
## Evidence
The range of the predictions or targets.
## When this is fine
Never: the script stopped.
## Fix
`BCEWithLogitsLoss` for raw outputs; labels 1 and 2 become 0 and 1 by subtracting 1.
## References
PyTorch documentation, `torch.nn.BCELoss`.
"""

from torch import Tensor, nn

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit
from torchclinic.script.lines import Line

KIND = Kind("ERR064", "probabilities-expected", __doc__, (r"all elements of (?P<which>input|target) should be between 0 and 1",))


def explain(scene: Scene) -> Explanation:
    names = scene.call("binary_cross_entropy")
    given = names.get(scene["which"])
    known = isinstance(given, Tensor) and given.numel() > 0
    low, high = (float(given.min()), float(given.max())) if known and isinstance(given, Tensor) else (0.0, 0.0)
    between = f": they go from {low:.4g} to {high:.4g}" if known else ""
    if known and not (low == low and high == high):
        return Explanation(
            "The values are NaN, which lies nowhere",
            "Find where the first NaN was computed: torchclinic run says so where the training ran",
        )
    if scene["which"] == "input":
        cause = f"BCELoss takes probabilities, and the predictions are none{between}"
        return Explanation(
            cause, "Use BCEWithLogitsLoss on the raw outputs (better than a sigmoid before BCELoss)", *_with_logits(scene)
        )
    cause = f"The targets of BCELoss lie between 0 and 1, and these do not{between}"
    node = scene.argument(1, "target")
    if (low, high) == (1.0, 2.0):
        edit = scene.repair(node, "{} - 1", lambda t: t - 1)
        return Explanation(cause, "Subtract 1 from the labels 1 and 2", None if edit else scene.line, edit)
    return Explanation(cause, "Bring the labels to 0 and 1")


def _with_logits(scene: Scene) -> tuple[Line | None, Edit | None]:
    made = scene.construction
    if not isinstance(scene.layer, nn.BCELoss) or made is None:
        return None, None
    func = made.call.func
    names = scene.call("binary_cross_entropy")
    try:
        nn.BCEWithLogitsLoss()(names["input"].detach(), names["target"])
    except Exception:  # noqa: BLE001 - it does not help
        return made.source.line(made.call), None
    return None, made.source.edit({func: made.source.text(func).replace("BCELoss", "BCEWithLogitsLoss")})


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("BCELoss", "BCEWithLogitsLoss")


_SCRIPT = """
import torch
logits, target = torch.full((4,), 2.0), torch.ones(4)
criterion = torch.nn.BCELoss()
loss = criterion(logits, target)
"""
