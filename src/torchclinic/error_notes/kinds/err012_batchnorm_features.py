"""A batch normalization was made for another number of channels than arrive.

## What it means
BatchNorm takes dimension 1 for the channels and keeps a running mean for each of `num_features`.
## Evidence
The two numbers, the layer, its input.
## When this is fine
Never: the script stopped.
## Fix
Build it with the channels of the layer before; where the features come last, transpose around it.
## References
PyTorch documentation, `torch.nn.BatchNorm1d`.
"""

import ast

from torch import nn

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR012",
    "batchnorm-features",
    __doc__,
    (
        r"running_mean should contain (?P<got>\d+) elements not (?P<want>\d+)",
        r"weight should contain (?P<got2>\d+) elements not (?P<want2>\d+)",
        (
            r"Expected weight to be a vector of size equal to the number of channels in input, but got weight of "
            r"shape \[(?P<want3>\d+)\] and input of shape \[(?P<shape>[\d, ]+)\]"
        ),
    ),
)


def explain(scene: Scene) -> Explanation:
    want = int(scene["want"] or scene["want2"] or scene["want3"])
    got = int(scene["got"] or scene["got2"] or numbers(scene["shape"])[1])
    given = scene.layer_input
    sizes = "" if given is None else f" {shape(given.shape)}"
    cause = f"{scene.layer_name or 'The normalization'} was made for {want} channels, and its input{sizes} has {got} in dimension 1"
    if given is not None and given.dim() == 3 and given.shape[2] == want:
        node = scene.argument(0)
        call = scene.expression
        edit = None
        if node is not None and isinstance(call, ast.Call) and scene.value(call.func) is scene.layer:
            edit = scene.edit({call: f"{scene.text(call.func)}({scene.text(node)}.transpose(1, 2)).transpose(1, 2)"})
        cause += f": the {want} features come last"
        return Explanation(
            cause, f"Transpose around it, or use nn.LayerNorm({want}), which takes the last dimension", scene.line, edit
        )
    edit = scene.layer_edit("num_features" if isinstance(scene.layer, nn.modules.batchnorm._NormBase) else "num_channels", got)
    made = scene.construction
    at = made.source.line(made.call) if made is not None and edit is None else None
    return Explanation(
        cause, f"Build it with {got} features, the channels of the layer before; channels-last data needs a permute", at, edit
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("BatchNorm1d(64)", "BatchNorm1d(128)")


_SCRIPT = """
import torch
norm = torch.nn.BatchNorm1d(64)
out = norm(torch.ones(8, 128))
"""
