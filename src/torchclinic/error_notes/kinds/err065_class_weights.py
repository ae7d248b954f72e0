"""The weights of a loss are not one per class.

## What it means
`weight` of `cross_entropy` has one value per class, also for classes that do not occur.
## Evidence
The number of classes, the shape of the weights.
## When this is fine
Never: the script stopped.
## Fix
Count with `minlength`: `torch.bincount(y, minlength=C)`.
## References
PyTorch documentation, `torch.nn.CrossEntropyLoss`.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR065",
    "class-weights",
    __doc__,
    (
        (
            r"weight tensor should be defined either for all (?P<classes>\d+) classes or no classes but got weight "
            r"tensor of shape: \[(?P<shape>[\d, ]*)\]"
        ),
    ),
)


def explain(scene: Scene) -> Explanation:
    cause = f"The weights are {shape(numbers(scene['shape']))}, and the logits have {scene['classes']} classes"
    source = scene.frames[-1].source if scene.seen else None
    calls = (
        [n for n in source.walk(ast.Call) if isinstance(n, ast.Call) and source.text(n.func) == "torch.bincount"]
        if source is not None
        else []
    )
    edit = None
    if source is not None and len(calls) == 1 and len(calls[0].args) == 1 and not calls[0].keywords:
        edit = source.edit({calls[0]: f"{source.text(calls[0])[:-1]}, minlength={scene['classes']})"})
    return Explanation(
        cause,
        f"Give a weight for each of the {scene['classes']} classes; counted, torch.bincount(y, minlength={scene['classes']})",
        edit=edit,
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("bincount(target)", "bincount(target, minlength=3)")


_SCRIPT = """
import torch
logits, target = torch.zeros(4, 3), torch.tensor([0, 1, 1, 0])
weight = 1 / torch.bincount(target)
loss = torch.nn.functional.cross_entropy(logits, target, weight=weight.float())
"""
