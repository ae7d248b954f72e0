"""A floating-point result is to be written into a tensor of integers.

## What it means
An operation in place keeps the dtype of its place; int64 and uint8 have no room for fractions.
## Evidence
The two dtypes.
## When this is fine
Never: the script stopped.
## Fix
Convert the place first (`x = x.float()`), start sums with 0.0, convert integer targets of BCE and MSE with `.float()`.
## References
PyTorch documentation, Type promotion.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene

KIND = Kind("ERR072", "result-dtype", __doc__, (r"result type (?P<a>\w+) can't be cast to the desired output type (?P<b>\w+)",))


def explain(scene: Scene) -> Explanation:
    cause = f"The result is {scene['a']} and is to be written into a {scene['b']} tensor, which would lose digits"
    names = next((c.names for c in reversed(scene.calls) if "target" in c.names and "input" in c.names), {})
    if names:
        node = scene.argument(1, "target")
        edit = scene.repair(node, "{}.float()", lambda t: t.float())
        return Explanation(
            f"The predictions are {scene['a']} and the target {scene['b']}, integers",
            "Convert the target: target.float()",
            None if edit else scene.line,
            edit,
        )
    statement = scene.frames[-1].node if scene.seen else None
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        birth = scene.birth(statement.target)
        call = birth.expression if birth is not None else None
        whole = (
            isinstance(call, ast.Call)
            and len(call.args) == 1
            and isinstance(call.args[0], ast.Constant)
            and type(call.args[0].value) is int
        )
        if birth is not None and whole and isinstance(call, ast.Call) and birth.source.text(call.func) == "torch.tensor":
            edit = birth.source.edit({call.args[0]: f"{birth.source.text(call.args[0])}.0"})
            return Explanation(
                cause, "Start the sum with a float, torch.tensor(0.0), or sum up loss.item() in a Python number", edit=edit
            )
        source = scene.frames[-1].source
        sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}.get(type(statement.op))
        if source is not None and sign is not None:
            name = statement.target.id
            edit = source.edit({statement: f"{name} = {name}.float() {sign} {source.text(statement.value)}"})
            passes = scene.value(statement.target) is not None and not isinstance(statement.value, ast.BinOp | ast.Compare)
            return Explanation(
                cause,
                f"Write out of place: {name} = {name}.float() {sign} ...",
                scene.line,
                edit if passes and scene.passes_expression(f"{name}.float() {sign} ({source.text(statement.value)})") else None,
            )
    return Explanation(cause, "Convert the tensor first (x = x.float()); as a target of a floating-point loss: target.float()")


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("torch.tensor(0)", "torch.tensor(0.0)")


_SCRIPT = """
import torch
total = torch.tensor(0)
total += torch.tensor(0.5)
"""
