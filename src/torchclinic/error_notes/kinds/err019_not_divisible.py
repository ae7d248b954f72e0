"""A layer divides its channels into parts that do not come out even.

## What it means
Attention heads share the embedding equally, groups of a convolution or a GroupNorm share the channels.
## Evidence
The two numbers.
## When this is fine
Never: the script stopped.
## Fix
Choose a number of heads or groups that divides the size.
## References
PyTorch documentation, `torch.nn.MultiheadAttention`, `torch.nn.GroupNorm`, `torch.nn.Conv2d`.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit
from torchclinic.script.lines import Line

KIND = Kind(
    "ERR019",
    "not-divisible",
    __doc__,
    (
        r"embed_dim must be divisible by num_heads",
        r"num_channels \((?P<channels>\d+)\) must be divisible by num_groups \((?P<groups>\d+)\)",
        r"(?P<which>in_channels|out_channels) must be divisible by groups",
    ),
)


def explain(scene: Scene) -> Explanation:
    names = scene.call("__init__")
    whole: int | None
    parts: int | None
    if scene["channels"]:
        whole, parts, what = scene.number("channels"), scene.number("groups"), "groups"
    elif scene["which"]:
        whole, parts, what = names.get(scene["which"]), names.get("groups"), "groups"
    else:
        whole, parts, what = names.get("embed_dim"), names.get("num_heads"), "heads"
    if not isinstance(whole, int) or not isinstance(parts, int):
        return Explanation(f"The size does not divide by the number of {what}", f"Choose a number of {what} that divides it")
    divisors = [n for n in range(1, whole + 1) if whole % n == 0]
    near = sorted(divisors, key=lambda n: abs(n - parts))[:2]
    fix = f"Choose a number of {what} that divides {whole}, such as {' or '.join(map(str, sorted(near)))}"
    if scene["which"] == "in_channels":
        fix += "; a depthwise convolution has groups=in_channels"
    return Explanation(
        f"{whole} does not divide by {parts} {what} ({whole} = {whole // parts} · {parts} + {whole % parts})",
        fix,
        *_number(scene, parts, near[0], what),
    )


def _number(scene: Scene, parts: int, near: int, what: str) -> tuple[Line | None, Edit | None]:
    """Where the number is written: in the failing call, or where the name in it was given a number."""
    call = scene.expression
    if not isinstance(call, ast.Call) or not scene.seen:
        return None, None
    places = {
        "heads": ("num_heads", "nhead", 1),
        "groups": ("num_groups" if scene["channels"] else "groups", "groups", 0 if scene["channels"] else 6),
    }
    first, second, place = places[what]
    node = scene.argument(place, first) or scene.argument(place, second)
    source = scene.frames[-1].source
    if source is None or node is None:
        return scene.line, None
    if scene["which"]:
        alike = len(call.args) > 1 and source.text(call.args[0]) == source.text(call.args[1])
        edit = source.edit({node: source.text(call.args[0])}) if alike and scene["which"] == "in_channels" else None
        return scene.line, edit
    birth = scene.first_birth(node)
    written = birth.expression if birth is not None else node
    where = birth.source if birth is not None else source
    if isinstance(written, ast.Constant) and written.value == parts:
        return None, where.edit({written: str(near)})
    return scene.line, None


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("300, 8", "300, 6")


_SCRIPT = """
import torch
attention = torch.nn.MultiheadAttention(300, 8)
"""
