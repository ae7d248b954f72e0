"""A target has another type than the loss takes.

## What it means
Class numbers are int64. Targets of the logits' own shape are class probabilities, and floating point. Losses of elements (BCE,
MSE) take targets of the predictions' type.
## Evidence
The types, the shapes of predictions and target.
## When this is fine
Never: the script stopped.
## Fix
`target.long()` for classes, `target.float()` for probabilities and for BCE and MSE.
## References
PyTorch documentation, `torch.nn.CrossEntropyLoss`, `torch.nn.BCELoss`.
"""

import ast
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR063",
    "target-dtype",
    __doc__,
    (
        r"expected target dtype to be Long or Byte, but got (?P<got>\w+)",
        r"Expected floating point type for target with class probabilities, got (?P<prob>\w+)",
        r"Found dtype (?P<found>\w+) but expected (?P<want>\w+)",
        r"expected scalar type Long but found (?P<found2>\w+)",
    ),
)


def explain(scene: Scene) -> Explanation | None:
    names = _loss(scene)
    logits, target = names.get("input"), names.get("target")
    node = scene.argument(1, "target")
    if scene["prob"]:
        return _probabilities(scene, logits, target, node)
    if scene["got"] or scene["found2"]:
        got = scene["got"] or scene["found2"]
        if not scene["got"] and not isinstance(target, Tensor):
            cause = (
                f"A tensor of integers (Long) is expected and a {got} came: in a loss, that is the target with the class numbers"
            )
            return Explanation(cause, "target.long(); elsewhere, convert the index with .long()")
        sizes = f", {shape(target.shape)}," if isinstance(target, Tensor) else ""
        edit = scene.repair(node, "{}.long()", lambda t: t.long())
        cause = f"Class numbers must be int64 (Long); the target{sizes} is {got}"
        return Explanation(
            cause,
            "target.long(). A target of probabilities has the shape of the logits and is floating point",
            None if edit else scene.line,
            edit,
        )
    cause = f"A {scene['found']} came where the other operand is {scene['want']}"
    made = {"Long": "long", "Float": "float", "Double": "double", "Half": "half"}.get(scene["want"], "float")
    if isinstance(logits, Tensor) and isinstance(target, Tensor) and target.dtype != logits.dtype:
        cause = f"The predictions are {_name(logits)} and the target {_name(target)}; this loss compares elements of one type"
        edit = scene.repair(node, f"{{}}.{made}()", lambda t: t.to(logits.dtype))
        return Explanation(cause, f"Convert the target: target.{made}()", None if edit else scene.line, edit)
    return Explanation(
        cause,
        (
            f"Give both operands one type: as the target of a loss, target.{made}(). It may be the backward pass that "
            "fails, of a loss that let the types through"
        ),
    )


def _loss(scene: Scene) -> Mapping[str, Any]:
    return next((c.names for c in reversed(scene.calls) if "target" in c.names and "input" in c.names), {})


def _name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _probabilities(scene: Scene, logits: Any, target: Any, node: ast.expr | None) -> Explanation:
    if isinstance(logits, Tensor) and not logits.is_floating_point():
        cause = (
            f"The first argument of the loss is {_name(logits)}, {shape(logits.shape)}: decided classes (an argmax?) "
            "in place of logits. The target is right"
        )
        birth = scene.birth(scene.argument(0, "input"))
        return Explanation(
            cause, "Hand the logits to the loss, and keep argmax for the accuracy", birth.line if birth is not None else scene.line
        )
    sizes = f" {shape(target.shape)}" if isinstance(target, Tensor) else ""
    cause = (
        f"The target{sizes} has the shape of the logits, so it is taken for class probabilities, which must be "
        f"floating point; it is {scene['prob']}"
    )
    edit = scene.repair(node, "{}.float()", lambda t: t.float())
    return Explanation(
        cause, "Pass the class numbers in place of one-hot rows, or target.float()", None if edit else scene.line, edit
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("logits, target)", "logits, target.long())")


_SCRIPT = """
import torch
logits, target = torch.zeros(20, 3), torch.zeros(20)
loss = torch.nn.functional.cross_entropy(logits, target)
"""
