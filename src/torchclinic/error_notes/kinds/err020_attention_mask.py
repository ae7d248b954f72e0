"""A mask of attention has another shape than batch and steps ask for.

## What it means
`key_padding_mask` is [batch, steps] (also where the input is [steps, batch, features]); `attn_mask` is [steps, steps] or [batch
· heads, steps, steps].
## Evidence
The size that is expected and that came.
## When this is fine
Never: the script stopped.
## Fix
Transpose the padding mask, or build it from tokens with the batch first.
## References
PyTorch documentation, `torch.nn.MultiheadAttention`.
"""

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import dotted

KIND = Kind(
    "ERR020",
    "attention-mask",
    __doc__,
    (
        r"Expected key_padded_mask\.shape\[(?P<dim>\d)\] to be (?P<want>\d+), but got (?P<got>\d+)",
        r"The shape of the 2D attn_mask is torch\.Size\(\[(?P<mask>[\d, ]+)\]\), but should be \((?P<should>[\d, ]+)\)",
    ),
)


def explain(scene: Scene) -> Explanation:
    if scene["mask"]:
        given, should = numbers(scene["mask"]), numbers(scene["should"])
        return Explanation(
            f"attn_mask is {shape(given)} and must be {shape(should)}: queries by keys", "Build it for the lengths of this batch"
        )
    masks = [c.names.get(name) for c in scene.calls for name in ("key_padding_mask", "src_key_padding_mask")]
    mask = next((m for m in masks if isinstance(m, Tensor)), None)
    sizes = "" if mask is None else f" is {shape(mask.shape)} and"
    cause = (
        f"The padding mask{sizes} has {scene['got']} in dimension {scene['dim']}, which must be {scene['want']}: "
        "it is [batch, steps], whatever batch_first says"
    )
    node = next((n for name in ("key_padding_mask", "src_key_padding_mask") if (n := scene.argument(99, name)) is not None), None)
    birth = scene.birth(node)
    turned = mask is not None and mask.dim() == 2 and mask.shape[1] == scene.number("want") and mask.shape[0] == scene.number("got")
    edit = None
    if turned and birth is not None and birth.expression is not None:
        text = birth.source.text(birth.expression)
        edit = birth.source.edit({birth.expression: f"{dotted(text, birth.expression)}.t()"})
    return Explanation(cause, "Transpose the mask to [batch, steps]: mask.t()", edit=edit)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("torch.zeros(12, 4,", "torch.zeros(4, 12,")


_SCRIPT = """
import torch
attention = torch.nn.MultiheadAttention(8, 2)
x = torch.ones(12, 4, 8)
out = attention(x, x, x, key_padding_mask=torch.zeros(12, 4, dtype=torch.bool))
"""
