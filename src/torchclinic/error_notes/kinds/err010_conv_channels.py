"""A convolution gets an input with another number of channels than it was built for.

## What it means
A convolution reads its input as [batch, channels, ...] and an input with one dimension less as one sample, [channels, ...]. The
channels must be `in_channels`.
## Evidence
The shape of the weight and of the input; the layer.
## When this is fine
Never: the script stopped.
## Fix
Where the channels come last (NumPy, embedded text), move them to dimension 1; where they are missing, insert them; else build
the layer for the channels that come.
## References
PyTorch documentation, `torch.nn.Conv2d`.
"""

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit

KIND = Kind(
    "ERR010",
    "conv-channels",
    __doc__,
    (
        (
            r"Given (?:groups|transposed)=(?P<groups>\d+), weight of size \[(?P<weight>[\d, ]+)\], expected input "
            r"?\[(?P<shape>[\d, ]+)\] to have (?P<want>\d+) channels, but got (?P<got>\d+)"
        ),
    ),
)


def explain(scene: Scene) -> Explanation:
    sizes, want, got = numbers(scene["shape"]), scene.number("want"), scene.number("got")
    cause = (
        f"{scene.layer_name or 'The convolution'} takes {want} channels in dimension 1, and its input "
        f"{shape(sizes)} has {got} there"
    )
    given = scene.layer_input
    node = scene.node_of(given)
    if given is None:
        return Explanation(cause, _advice(sizes, want))
    if given.dim() == len(sizes) - 1:
        cause = (
            f"The input {shape(given.shape)} has no channel dimension, so {scene.layer_name} takes it for one sample "
            f"of {got} channels, not {want}"
        )
        edit = scene.repair(node, "{}.unsqueeze(1)", lambda t: t.unsqueeze(1)) if want == 1 else None
        return Explanation(
            cause, "Insert the channels behind the batch: x.unsqueeze(1)", scene.line if edit is None else None, edit
        )
    if sizes[-1] == want and _channels_last(given, want):
        last = len(sizes) - 1
        order = ", ".join(map(str, (0, last, *range(1, last))))
        form = "{}.transpose(1, 2)" if last == 2 else "{}.permute(" + order + ")"
        edit = scene.repair(node, form, lambda t: t.movedim(-1, 1))
        cause += f": the {want} channels come last"
        return Explanation(cause, f"Move them: x{form[2:]}, not view or reshape", edit=edit or _before(scene, form))
    if scene.layer is not None and scene["groups"] != "1":
        return Explanation(cause, "Make in_channels and groups fit the input")
    edit = scene.layer_edit("in_channels", got)
    made = scene.construction
    at = made.source.line(made.call) if made is not None and edit is None else None
    grey = " (or turn the grey images into three equal channels, x.expand(-1, 3, -1, -1))" if (got, want) == (1, 3) else ""
    return Explanation(cause, f"Build the layer with in_channels={got}{grey}", at, edit)


def _channels_last(given: Tensor, want: int) -> bool:
    """Pictures have 1, 3 or 4 channels; a sequence has its features last when it was looked up or comes from a linear layer."""
    if given.grad_fn is None:
        return given.dim() == 3 or want in (1, 3, 4)
    makers = ("Embedding", "Addmm", "View", "UnsafeView", "NativeLayerNorm")
    return given.dim() == 3 and given.grad_fn.name() in [f"{name}Backward0" for name in makers]


def _before(scene: Scene, form: str) -> Edit | None:
    return scene.changed(scene.argument(0), form)


def _advice(sizes: tuple[int, ...], want: int) -> str:
    if sizes[-1] == want:
        return "The channels seem to come last: move them to dimension 1 with permute (not view)"
    if want == 1 and sizes[0] == 1:
        return "The input may lack its channel dimension (a batch [B, H, W] is read as one image of B channels): x.unsqueeze(1)"
    return f"Build the layer with in_channels={sizes[1]}, or change what makes the input"


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("conv(photos)", "conv(photos.permute(0, 3, 1, 2))")


_SCRIPT = """
import torch
photos = torch.zeros(8, 32, 32, 3)
conv = torch.nn.Conv2d(3, 16, 3)
maps = conv(photos)
"""
