"""A tensor that backward needs was written in place.

## What it means
Some operations save their input or output for backward; the version counter shows that it was overwritten since.
## Evidence
The shape, the operation it came from, both versions, the line that wrote.
## When this is fine
Never: the script stopped.
## Fix
Write out of place, or clone() before writing; run the forward again after an optimizer step.
## References
PyTorch documentation, Autograd mechanics, in-place correctness checks.
"""

from torchclinic.error_notes.kind import Explanation, Kind, numbers
from torchclinic.error_notes.recorder import Event
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR091",
    "in-place-on-saved",
    __doc__,
    (
        (
            r"modified by an inplace operation: \[(?P<type>\S+) \[(?P<shape>[\d, ]*)\]\](?:, which is output "
            r"(?P<output>\d+) of (?P<node>\w+),)?.{0,40}? is at version (?P<now>\d+); expected version (?P<saved>\d+)"
        ),
        r"modified by an inplace operation",
    ),
)


def explain(scene: Scene) -> Explanation:
    fix = (
        "Write out of place on that line (y = y + 1 instead of y += 1), or clone() before writing. If it is an "
        "optimizer step between forward and backward, run the forward again after the step"
    )
    if not scene["saved"]:
        return Explanation("A tensor that was saved for backward was written in place afterwards", fix)
    node = f", the output of {scene['node'].removesuffix('Backward0')}," if scene["node"] else ""
    cause = (
        f"A tensor of shape {numbers(scene['shape'])}{node} was saved for backward at version {scene['saved']} "
        f"and then written in place (version {scene['now']})"
    )
    event = _writer(scene)
    if event is None:
        return Explanation(cause, fix, unseen=scene.blind)
    later = f", in an earlier step: {scene.blind}" if scene.blind else ""
    return Explanation(cause, fix, event.where, note=f"{event.call}{later}")


def _writer(scene: Scene) -> Event | None:
    """The first write after the tensor was saved: by version, and by shape where a write of that shape was seen."""
    if scene.past is None:
        return None
    saved, now, sizes = scene.number("saved"), scene.number("now"), numbers(scene["shape"])
    writes = [event for event in scene.past.events("write") if saved < event.version <= now][::-1]
    return next((event for event in writes if event.shape == sizes), next(iter(writes), None))


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("y += 1", "y = y + 1")


_SCRIPT = """
import torch
x = torch.zeros(3, requires_grad=True)
y = x.exp()
y += 1
y.sum().backward()
"""
