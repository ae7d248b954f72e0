"""A loss gets something else than a tensor, or is constructed with the tensors.

## What it means
`nn.CrossEntropyLoss()` makes a loss, which is then called with predictions and targets. A network may return a tuple.
## Evidence
The argument, its type.
## When this is fine
Never: the script stopped.
## Fix
Call the loss that was made; unpack what the network returns.
## References
PyTorch documentation, `torch.nn.CrossEntropyLoss`.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR066",
    "loss-argument",
    __doc__,
    (
        r"(?P<function>\w+)\(\): argument '(?P<name>\w+)' \(position (?P<place>\d+)\) must be Tensor, not (?P<type>\w+)",
        r"Boolean value of Tensor with more than one value is ambiguous",
    ),
)


def explain(scene: Scene) -> Explanation:
    call = scene.expression
    source = scene.frames[-1].source if scene.seen else None
    if scene["function"]:
        return _argument(scene)
    made = isinstance(call, ast.Call) and source is not None and source.text(call.func).endswith("Loss")
    if made and source is not None and isinstance(call, ast.Call) and len(call.args) == 2:
        cause = f"{source.text(call.func)}(...) constructs the loss, with the tensors as its settings"
        text = f"{source.text(call.func)}()({', '.join(source.text(argument) for argument in call.args)})"
        return Explanation(cause, "Make the loss first, then call it", scene.line, scene.edit({call: text}))
    return Explanation(
        "A tensor of several elements was used as one truth value (if, and, or, not)",
        "Say what is meant: (a == b).all(), x.any(), or one element; masks are combined with &, |, ~",
        scene.line,
    )


def _argument(scene: Scene) -> Explanation:
    given = scene["type"]
    cause = f"{scene['function']} got a {given} for its argument {scene['name']}, which must be a tensor"
    what = {
        "tuple": "Unpack what the function or layer before returned, or take the part that is meant ([0])",
        "NoneType": "The value is None: a function without return, or a forward that returns nothing",
        "list": "Make a tensor of the list, torch.tensor(...), or torch.stack(...) of tensors",
        "ndarray": "Make a tensor of the array, torch.from_numpy(...)",
        "numpy.ndarray": "Make a tensor of the array, torch.from_numpy(...)",
    }
    fix = what.get(given, f"Hand over a tensor; if the {given} is a layer, call it on its input and pass what it gives")
    call = scene.expression
    name = scene.text(call.func) if isinstance(call, ast.Call) else ""
    direct = name.split(".")[-1].removesuffix("_loss") == scene["function"].removesuffix("_loss")
    birth = scene.birth(scene.argument(int(scene["place"]) - 1)) if direct else None
    return Explanation(cause, fix, birth.line if birth is not None else None)


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("Loss(logits", "Loss()(logits")


_SCRIPT = """
import torch
logits, target = torch.zeros(4, 3), torch.tensor([0, 1, 1, 0])
loss = torch.nn.CrossEntropyLoss(logits, target)
"""
