"""Elements are written that share their memory.

## What it means
`expand` and broadcasting repeat elements with a stride of 0; one write would land in several of them.
## Evidence
The tensor, its strides, the line that stretched it.
## When this is fine
Never: the script stopped.
## Fix
Write to a `clone()`, or to the tensor before it was expanded.
## References
PyTorch documentation, `torch.Tensor.expand`.
"""

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR041",
    "overlapping-write",
    __doc__,
    (r"more than one element of the written-to tensor refers to a single memory location",),
    covers=("SHP005",),
)


def explain(scene: Scene) -> Explanation:
    stretched = [o for o in scene.operands if _stretched(o.tensor)]
    fix = "Write to `tensor.clone()` (every element gets memory of its own), or to the tensor before expand"
    if not stretched:
        return Explanation(
            (
                "The written tensor repeats elements without memory (a stride is 0, by expand or broadcasting): one "
                "write would land in several elements"
            ),
            fix,
        )
    name, tensor = stretched[0].name, stretched[0].tensor
    cause = (
        f"{name} repeats elements without memory (its strides are {tensor.stride()}, a 0 comes by expand or "
        "broadcasting): one write would land in several elements"
    )
    event = scene.last("layout", tensor)
    birth = scene.birth(stretched[0].node)
    line = event.where if event is not None else birth.line if birth is not None else None
    edit = scene.birth_edit(stretched[0].node, "{}.clone()", lambda t: t.clone()) if line is not None else None
    return Explanation(cause, fix, line, edit, scene.blind if line is None else "")


def _stretched(tensor: Tensor) -> bool:
    return any(size > 1 and step == 0 for size, step in zip(tensor.shape, tensor.stride(), strict=True))


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace(".expand(3, 4)", ".expand(3, 4).clone()")


_SCRIPT = """
import torch
wide = torch.zeros(3, 1).expand(3, 4)
wide.add_(1)
"""
