"""A normalization of images gets rows, or one of rows gets images.

## What it means
BatchNorm1d takes [N, C] or [N, C, L], BatchNorm2d [N, C, H, W], BatchNorm3d [N, C, D, H, W].
## Evidence
The dimensions that are expected and that came.
## When this is fine
Never: the script stopped.
## Fix
Use the normalization of the input's dimensions.
## References
PyTorch documentation, `torch.nn.BatchNorm2d`.
"""

import ast

from torch import nn

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit
from torchclinic.script.lines import Line

KIND = Kind("ERR013", "norm-input-rank", __doc__, (r"expected (?P<want>\d)D(?: or (?P<or>\d)D)? input \(got (?P<got>\d)D input\)",))


def explain(scene: Scene) -> Explanation:
    got, given = scene.number("got"), scene.layer_input
    sizes = "" if given is None else f", {shape(given.shape)}"
    wants = f"{scene['want']}-D or {scene['or']}-D" if scene["or"] else f"{scene['want']}-D"
    cause = f"{scene.layer_name or 'The normalization'} takes {wants} inputs, and this one is {got}-D{sizes}"
    kind = {2: "1d", 3: "1d", 4: "2d", 5: "3d"}.get(got)
    name = type(scene.layer).__name__ if scene.layer is not None else "BatchNorm2d"
    if kind is None or not name[:-2].endswith("Norm"):
        return Explanation(cause, "Use the normalization of the input's dimensions")
    other = f"{name[:-2]}{kind}"
    return Explanation(cause, f"Use nn.{other} there", *_other(scene, other))


def _other(scene: Scene, name: str) -> tuple[Line | None, Edit | None]:
    made, layer = scene.construction, scene.layer
    if made is None or layer is None or scene.layer_input is None:
        return None, None
    at = made.source.line(made.call)
    built = getattr(nn, name)(getattr(layer, "num_features", 1), device="meta").train(layer.training)
    func = made.call.func
    text = made.source.text(func).removesuffix(type(layer).__name__) + name
    passes = scene.passes_layer(scene.layer_input, layer=built)
    return at, made.source.edit({func: text}) if passes and isinstance(func, ast.Attribute) else None


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("BatchNorm2d", "BatchNorm1d")


_SCRIPT = """
import torch
norm = torch.nn.BatchNorm2d(64)
out = norm(torch.ones(8, 64))
"""
