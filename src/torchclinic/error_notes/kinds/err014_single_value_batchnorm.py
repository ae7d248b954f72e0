"""Batch normalization in train mode gets one value per channel.

## What it means
In train mode the statistics are those of the batch; the variance of one value is 0. It happens on a last batch of one sample,
or when one sample is predicted in train mode.
## Evidence
The shape of the input; the mode of the layer.
## When this is fine
Never: the script stopped.
## Fix
Call `model.eval()` before predicting; in training pass `drop_last=True` to the loader, or use GroupNorm or LayerNorm.
## References
Ioffe and Szegedy 2015, arXiv:1502.03167.
"""

import ast

from torch import nn
from torch.utils.data import DataLoader

from torchclinic.error_notes.frame import Frame
from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene, rebuild
from torchclinic.error_notes.source import Edit

KIND = Kind(
    "ERR014",
    "single-value-batchnorm",
    __doc__,
    (
        r"Expected more than 1 value per channel when training, got input size torch\.Size\(\[(?P<shape>[\d, ]+)\]\)",
        r"Expected more than 1 spatial element when training, got input size torch\.Size\(\[(?P<shape2>[\d, ]+)\]\)",
    ),
    covers=("MOD004",),
)


def explain(scene: Scene) -> Explanation:
    sizes = numbers(scene["shape"] or scene["shape2"])
    cause = (
        f"{scene.layer_name or 'The normalization'} is in train mode and takes its statistics from the batch; an "
        f"input of {shape(sizes)} has one value per channel, whose variance is 0"
    )
    for frame in scene.frames[::-1]:
        edit = _drop_last(frame)
        if edit is not None:
            fix = "The last batch has one sample: drop_last=True leaves it out; so does another batch size"
            return Explanation(cause, fix, edit.line, edit)
    fix = (
        "For a prediction call model.eval() first; in training use batches of 2 or more "
        "(DataLoader(drop_last=True) drops a last batch of 1)"
    )
    model = _evaluated(scene) if _predicting(scene) else None
    return Explanation(cause, fix, None if model is None else model.line, model)


def _predicting(scene: Scene) -> bool:
    """The input was computed by trainable layers, and no gradient was recorded."""
    given = scene.layer_input
    computed = given is not None and given.grad_fn is None and scene.node_of(given) is None
    return computed and scene.layer is not None and any(p.requires_grad for p in scene.layer.parameters())


def _drop_last(frame: Frame) -> Edit | None:
    """The loader whose loop runs in a frame, if its last batch has one sample: with drop_last."""
    source, statement = frame.source, frame.statement
    loop = next((n for n in source.parents(statement) if isinstance(n, ast.For)), None) if source and statement else None
    if loop is None or source is None or statement is None:
        return None
    names = [n for n in ast.walk(loop.iter) if isinstance(n, ast.Name) and isinstance(frame.value(n), DataLoader)]
    if len(names) != 1:
        return None
    loader = frame.value(names[0])
    if loader.batch_size is None or loader.drop_last or len(loader.dataset) % loader.batch_size != 1:
        return None
    made = [
        n for n in source.walk(ast.Assign) if isinstance(n, ast.Assign) and any(source.text(t) == names[0].id for t in n.targets)
    ]
    if len(made) != 1 or not isinstance(made[0].value, ast.Call) or not source.text(made[0].value.func).endswith("DataLoader"):
        return None
    return source.edit({made[0].value: source.text(made[0].value).rstrip(")").rstrip(", ") + ", drop_last=True)"})


def _evaluated(scene: Scene) -> Edit | None:
    """Without gradients this is a prediction: the model is put into eval mode before the statement, or the block around it."""
    frame = scene.frames[-1] if scene.seen else None
    source, statement = (frame.source, frame.statement) if frame is not None else (None, None)
    call = scene.expression
    if source is None or statement is None or not isinstance(call, ast.Call) or scene.layer is None:
        return None
    model = scene.value(call.func)
    if (
        not isinstance(model, nn.Module)
        or not isinstance(call.func, ast.Name)
        or not scene.passes_layer(scene.layer_input, layer=_eval(scene))
    ):
        return None
    block: ast.AST = statement
    while isinstance(source.parent(block), ast.With):
        block = source.parent(block)  # type: ignore[assignment]
    line = source.lines[block.lineno - 1].rstrip("\n")  # type: ignore[attr-defined]
    indent = line[: len(line) - len(line.lstrip())]
    number = block.lineno  # type: ignore[attr-defined]
    return Edit(source.file, number, number, line, f"{indent}{source.text(call.func)}.eval()\n{line}")


def _eval(scene: Scene) -> nn.Module | None:
    built = None if scene.layer is None else rebuild(scene.layer)
    return None if built is None else built.eval()


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("with torch.no_grad", "model.eval()\nwith torch.no_grad")


_SCRIPT = """
import torch
model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.BatchNorm1d(4))
with torch.no_grad():
    one = model(torch.ones(1, 8))
"""
