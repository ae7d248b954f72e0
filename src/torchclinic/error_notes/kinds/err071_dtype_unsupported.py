"""An operation does not exist for the dtype of its operand.

## What it means
Means, softmax and noise need floating point; `&`, `|` and `~` need bool or integers; gradients need floating point.
## Evidence
The operation, the dtype, the operand.
## When this is fine
Never: the script stopped.
## Fix
Convert first: `.float()` for statistics and softmax, `.bool()` for masks.
## References
PyTorch documentation, Tensor attributes: torch.dtype.
"""

import ast

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit
from torchclinic.script.lines import Line

KIND = Kind(
    "ERR071",
    "dtype-unsupported",
    __doc__,
    (
        r"mean\(\): could not infer output dtype.*Got: (?P<mean>\w+)",
        r'^"(?P<kernel>\w+)" not implemented for .(?P<type>\w+).',
        r"std and var only support floating point and complex dtypes",
        r"multinomial only supports floating-point dtypes for input, got: (?P<multi>\w+)",
        r"Subtraction, the `-` operator, with a(?: bool tensor|two bool tensors)",
        r"~ \(operator\.invert\) is only implemented on integer and Boolean-type tensors",
        r"masked_fill_? only supports boolean masks, but got mask with dtype (?P<mask>\w+)",
        r"[Oo]nly Tensors of floating point(?: and complex)? dtype can require gradients",
    ),
)


def explain(scene: Scene) -> Explanation:
    message = scene.message
    if scene["mask"]:
        node = scene.argument(0, "mask")
        edit = scene.changed(node, "{}.bool()")
        return Explanation(
            f"masked_fill takes a boolean mask, and this one is {scene['mask']}",
            "Convert it, mask.bool(): ones stay the places to fill",
            scene.line,
            edit,
        )
    if "Subtraction" in message:
        node = scene.expression
        right = node.right if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) else None
        one = isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant) and node.left.value == 1
        edit = scene.edit({node: f"~{_atom(scene, right)}"}) if one and right is not None and node is not None else None
        return Explanation(
            "A boolean tensor cannot be subtracted", "Invert a mask with ~mask, or compute with mask.float()", scene.line, edit
        )
    if message.startswith("~") or scene["kernel"].startswith("bitwise"):
        kind = f"'{scene['type']}'" if scene["type"] else "floating point"
        node, edit = scene.expression, None
        if isinstance(node, ast.UnaryOp):
            edit = scene.repair(node.operand, "{}.bool()", lambda t: t.bool())
        elif isinstance(node, ast.BinOp):
            edit = next((e for side in (node.left, node.right) if (e := scene.changed(side, "{}.bool()"))), None)
        return Explanation(
            f"~, & and | work on booleans and integers, and the mask is {kind}",
            "Leave masks boolean: drop .float(), or convert with .bool()",
            None if edit else scene.line,
            edit,
        )
    if "require gradients" in message:
        return Explanation(
            "Only floating point tensors have gradients, and this one holds integers",
            "Write floats, torch.tensor([1.0, 2.0], requires_grad=True), or pass dtype=torch.float32",
            scene.line,
            _float_dtype(scene),
        )
    kind = scene["mean"] or scene["type"] or scene["multi"] or "an integer type"
    what = "This operation" if not scene["kernel"] else f"The operation ({scene['kernel']})"
    cause = f"{what} is defined for floating point, and its operand is {kind}"
    return Explanation(cause, "Convert the operand first: x.float()", *_converted(scene))


def _atom(scene: Scene, node: ast.expr) -> str:
    return scene.text(node) if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({scene.text(node)})"


def _converted(scene: Scene) -> tuple[Line | None, Edit | None]:
    call = scene.expression
    candidates = [call.func.value, *call.args[:1]] if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else []
    for node in candidates:
        if scene.text(node) not in ("torch", "F", "nn"):
            edit = (
                scene.repair(node, "{}.float()", lambda t: t.float())
                if isinstance(scene.value(node), Tensor)
                else scene.changed(node, "{}.float()")
            )
            if edit is not None:
                return None, edit
    return scene.line, None


def _float_dtype(scene: Scene) -> Edit | None:
    call, source = scene.expression, scene.frames[-1].source if scene.seen else None
    if (
        not isinstance(call, ast.Call)
        or source is None
        or source.text(call.func) != "torch.tensor"
        or any(k.arg == "dtype" for k in call.keywords)
    ):
        return None
    return scene.edit({call: f"{source.text(call)[:-1].rstrip()}, dtype=torch.float32)"})


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("hits.mean()", "hits.float().mean()")


_SCRIPT = """
import torch
hits = torch.tensor([1, 0, 1])
accuracy = hits.mean()
"""
