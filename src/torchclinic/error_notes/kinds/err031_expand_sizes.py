"""A tensor is stretched to a size that its own does not allow.

## What it means
Only a dimension of size 1 can be stretched, and an assignment or a copy stretches as `expand` does.
## Evidence
The size that is asked for, the one that is there, and both shapes.
## When this is fine
Never: the script stopped.
## Fix
Insert a dimension of size 1, give the sizes in the order of the tensor's dimensions, or make the place of the same size as what
is written to it.
## References
PyTorch documentation, `torch.Tensor.expand`.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind, numbers, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR031",
    "expand-sizes",
    __doc__,
    (
        (
            r"expanded size of the tensor \((?P<want>\d+)\) must match the existing size \((?P<got>\d+)\) at "
            r"non-singleton dimension (?P<dim>\d+)\.\s+Target sizes: \[(?P<target>[\d, ]*)\]\.\s+Tensor sizes: "
            r"\[(?P<sizes>[\d, ]*)\]"
        ),
        r"expanded size of the tensor \((?P<want2>\d+)\) must match the existing size \((?P<got2>\d+)\)",
    ),
)


def explain(scene: Scene) -> Explanation:
    want, got = scene["want"] or scene["want2"], scene["got"] or scene["got2"]
    if not scene["sizes"]:
        cause = f"Only a dimension of size 1 can be stretched; this one has size {got}, not 1 or {want}"
        return Explanation(cause, "Insert a dimension of size 1 first (unsqueeze), or repeat the elements (repeat, which copies)")
    target, sizes = numbers(scene["target"]), numbers(scene["sizes"])
    cause = (
        f"A tensor of {shape(sizes)} is to become {shape(target)}: in dimension {scene['dim']} its size is {got}, "
        f"and only a size of 1 can be stretched to {want}"
    )
    call = scene.expression
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "expand":
        if (
            len(call.args) == 2
            and target[::-1][-len(sizes) :]
            and all(s in (1, t) for s, t in zip(sizes, target[::-1], strict=False))
        ):
            first, second = call.args
            edit = scene.edit({first: scene.text(second), second: scene.text(first)})
            return Explanation(cause, f"The two sizes are exchanged: expand to {shape(target[::-1])}", scene.line, edit)
        return Explanation(
            cause, "Insert a dimension of size 1 first (unsqueeze), or repeat the elements (repeat, which copies)", scene.line
        )
    return Explanation(
        cause,
        "Make the place as large as what is written to it, or change what is written; in a product with a bias, check its operands",
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("expand(16, 5)", "expand(5, 16)")


_SCRIPT = """
import torch
start = torch.zeros(1, 16)
token = start.expand(16, 5)
"""
