"""A recurrent layer gets an input of another size or number of dimensions.

## What it means
nn.LSTM, nn.GRU and nn.RNN read [steps, batch, features] (or batch first with `batch_first=True`); `input_size` is the number of
features per step, not of steps.
## Evidence
The sizes; the layer; its input.
## When this is fine
Never: the script stopped.
## Fix
Build the layer for the features of a step, or give the input its three dimensions.
## References
PyTorch documentation, `torch.nn.LSTM`.
"""

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR016",
    "recurrent-input",
    __doc__,
    (
        r"input\.size\(-1\) must be equal to input_size\. Expected (?P<want>\d+), got (?P<got>\d+)",
        r"(?P<name>LSTM|GRU|RNN): Expected input to be 2D or 3D, got (?P<rank>\d)D instead",
        r"input has inconsistent input_size: got (?P<got2>\d+),? expected (?P<want2>\d+)",
    ),
)


def explain(scene: Scene) -> Explanation:
    given = scene.layer_input
    sizes = "" if given is None else f" {shape(given.shape)}"
    name = scene.layer_name or scene["name"] or "The recurrent layer"
    if scene["rank"]:
        cause = f"{name} reads sequences, [batch, steps, features], and its input{sizes} has {scene['rank']} dimensions"
        single = given is not None and given.dim() == 4 and given.shape[1] == 1
        edit = scene.repair(scene.node_of(given), "{}.squeeze(1)", lambda t: t.squeeze(1)) if single else None
        fix = (
            "Take the channel of size 1 away: x.squeeze(1)"
            if single
            else "Bring the input to three dimensions, for images x.flatten(2) or x.squeeze(1)"
        )
        return Explanation(cause, fix, None if edit else scene.line, edit)
    want, got = int(scene["want"] or scene["want2"]), int(scene["got"] or scene["got2"])
    cause = (
        f"{name} was built for {want} features per step (input_size={want}), and its input{sizes} has {got} in the last dimension"
    )
    edit = scene.layer_edit("input_size", got)
    made = scene.construction
    at = made.source.line(made.call) if made is not None and edit is None else None
    return Explanation(
        cause, f"Build it with input_size={got}, the values of one step, or bring {want} features to the last dimension", at, edit
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("LSTM(24", "LSTM(1")


_SCRIPT = """
import torch
rnn = torch.nn.LSTM(24, 8, batch_first=True)
out = rnn(torch.ones(4, 24, 1))
"""
