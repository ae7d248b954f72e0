"""A convolution gets an input with too many or too few dimensions.

## What it means
A convolution over n dimensions reads [batch, channels, n sizes], or [channels, n sizes] for one sample.
## Evidence
The shape of the input and the dimensions that are expected.
## When this is fine
Never: the script stopped.
## Fix
Give flat rows their image shape back, insert the missing channel and batch, or merge further dimensions into the batch.
## References
PyTorch documentation, `torch.nn.Conv2d`.
"""

import math

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR011",
    "conv-input-rank",
    __doc__,
    (
        (
            r"Expected (?P<want>\d)D \(unbatched\) or (?P<batched>\d)D \(batched\) input to "
            r"(?P<name>conv(?:_transpose)?(?P<n>\d)d), but got input of size: \[(?P<shape>[\d, ]*)\]"
        ),
    ),
)


def explain(scene: Scene) -> Explanation:
    sizes, n = numbers(scene["shape"]), scene.number("n")
    letters = {1: "[B, C, L]", 2: "[B, C, H, W]", 3: "[B, C, D, H, W]"}[n]
    cause = f"{scene['name']} reads its input as {letters}, and {shape(sizes)} has {len(sizes)} dimensions"
    layer, given = scene.layer, scene.layer_input
    channels = getattr(layer, "in_channels", 0)
    form, fix = _form(sizes, n, channels)
    if given is None or not channels or not form:
        return Explanation(cause, fix)
    node = scene.node_of(given)
    edit = scene.repair(node, "{}" + form, lambda t: eval(f"t{form}", {"t": t}))
    return Explanation(cause, fix, None if edit else scene.line, edit)


def _form(sizes: tuple[int, ...], n: int, channels: int) -> tuple[str, str]:
    """What to do to an input of these sizes, as code (empty where it is open) and in words."""
    if len(sizes) == 2 and channels and sizes[1] == channels:
        ones = ", 1" * n
        return f".view(-1, {channels}{ones})", f"Each row of {channels} is a map of one point: x.view(-1, {channels}{ones})"
    if len(sizes) == 2 and n == 2 and channels:
        side = math.isqrt(sizes[1] // channels)
        if side > 4 and channels * side * side == sizes[1]:
            text = f".view(-1, {channels}, {side}, {side})"
            return text, f"The rows are flat: {sizes[1]} = {channels} · {side} · {side}. Give them their shape back: x{text}"
    if len(sizes) == n and channels == 1:
        return "[None, None]", "One sample without batch and channel: put both in front, x[None, None]"
    if len(sizes) == n + 3:
        return "", "Merge the further dimension into the batch: x.flatten(0, 1)"
    if len(sizes) == 2 and n == 2:
        return (
            "",
            (
                "Flat rows get their shape back with x.view(-1, C, H, W); a single image [H, W] gets channel and batch "
                "with x[None, None]"
            ),
        )
    return "", "Insert the missing dimensions: unsqueeze(0) for the batch, unsqueeze(1) for the channel"


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("conv(rows)", "conv(rows.view(-1, 1, 28, 28))")


_SCRIPT = """
import torch
rows = torch.zeros(32, 784)
conv = torch.nn.Conv2d(1, 8, 3)
maps = conv(rows)
"""
