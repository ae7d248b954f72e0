"""A letter of an einsum stands for two different sizes.

## What it means
Every letter of the equation is one size. Two dimensions that may differ, as the lengths of queries and keys, need two letters.
## Evidence
The letter, the operand, and the two sizes.
## When this is fine
Never: the script stopped.
## Fix
Give the two dimensions letters of their own, or bring them to the same size.
## References
PyTorch documentation, `torch.einsum`.
"""

import ast

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Scene
from torchclinic.error_notes.source import Edit

KIND = Kind(
    "ERR004",
    "einsum-sizes",
    __doc__,
    (
        (
            r"einsum\(\): subscript (?P<letter>\w) has size (?P<b>\d+) for operand (?P<operand>\d+) which does not "
            r"broadcast with previously seen size (?P<a>\d+)"
        ),
        (
            r"einsum\(\): the number of subscripts in the equation \((?P<letters>\d+)\) does not match the number of "
            r"dimensions \((?P<dims>\d+)\) for operand (?P<which>\d+)"
        ),
    ),
)


def explain(scene: Scene) -> Explanation:
    if scene["letters"]:
        cause = f"The equation gives operand {scene['which']} {scene['letters']} letters, and it has {scene['dims']} dimensions"
        return Explanation(
            cause, "Write a letter for every dimension of the operand, or ... for those that do not matter", scene.line
        )
    cause = f"The letter {scene['letter']} stands for a size of {scene['a']} and, in operand {scene['operand']}, for {scene['b']}"
    fix = (
        f"If the two dimensions may differ (queries and keys), give operand {scene['operand']} a letter of its "
        "own; else make them equal"
    )
    return Explanation(cause, fix, scene.line, _other_letter(scene))


def _other_letter(scene: Scene) -> Edit | None:
    """Where the letter is also in the result and that has one dimension less, a new letter goes to the operand and the result."""
    call = scene.expression
    text = scene.argument(0)
    if not isinstance(call, ast.Call) or not isinstance(text, ast.Constant) or not isinstance(text.value, str):
        return None
    inputs, arrow, result = text.value.replace(" ", "").partition("->")
    parts, letter, place = inputs.split(","), scene["letter"], scene.number("operand")
    if not arrow or letter not in result or place >= len(parts) or parts[place].count(letter) != 1:
        return None
    new = next(c for c in "kmnpqrtuvw" if c not in text.value)
    parts[place] = parts[place].replace(letter, new)
    return scene.edit({text: f'"{",".join(parts)}->{result}{new}"'})


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace('"bsd,bsd->bs"', '"bsd,btd->bst"')


_SCRIPT = """
import torch
q, k = torch.ones(2, 6, 8), torch.ones(2, 9, 8)
scores = torch.einsum("bsd,bsd->bs", q, k)
"""
