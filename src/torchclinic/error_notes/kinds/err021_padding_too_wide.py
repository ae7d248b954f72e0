"""Reflection padding is wider than the image.

## What it means
Reflection mirrors the inner pixels, so it must be smaller than the side it pads; circular padding may be as large.
## Evidence
The padding, the dimension, the input.
## When this is fine
Never: the script stopped.
## Fix
Pad less, or use larger inputs; zero and replication padding have no such limit.
## References
PyTorch documentation, `torch.nn.ReflectionPad2d`.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit

KIND = Kind(
    "ERR021",
    "padding-too-wide",
    __doc__,
    (
        (
            r"Padding size should be less than the corresponding input dimension, but got: padding \((?P<pad>[\d, "
            r"]+)\) at dimension (?P<dim>\d) of input \[(?P<shape>[\d, ]+)\]"
        ),
    ),
)


def explain(scene: Scene) -> Explanation:
    pad, sizes = numbers(scene["pad"]), numbers(scene["shape"])
    side = sizes[scene.number("dim")]
    cause = f"A padding of {max(pad)} by reflection needs more than {max(pad)} pixels, and the input {shape(sizes)} has {side}"
    made = scene.construction
    at = made.source.line(made.call) if made is not None else None
    return Explanation(
        cause,
        f"Pad by at most {side - 1}, use larger inputs, or another padding (zeros, replicate)",
        at,
        _smaller(scene, max(pad), side),
    )


def _smaller(scene: Scene, pad: int, side: int) -> Edit | None:
    made, layer, given = scene.construction, scene.layer, scene.layer_input
    node = made.call.args[0] if made is not None and len(made.call.args) == 1 else None
    if made is None or layer is None or given is None or not isinstance(node, ast.Constant) or node.value != pad:
        return None
    built = type(layer)(side - 1)
    return made.source.edit({node: str(side - 1)}) if scene.passes_layer(given, layer=built) else None


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("Pad2d(3)", "Pad2d(2)")


_SCRIPT = """
import torch
pad = torch.nn.ReflectionPad2d(3)
wide = pad(torch.ones(1, 2, 3, 3))
"""
