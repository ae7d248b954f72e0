"""Two operands have different dtypes.

## What it means
Layers and matrix products do not convert: NumPy makes float64, lists of integers int64, images uint8, and the weights are
float32.
## Evidence
The two dtypes, the operands that have them, the layer.
## When this is fine
Never: the script stopped.
## Fix
Convert the data where it becomes a tensor, `.float()`; leave the model in float32.
## References
PyTorch documentation, Type promotion; `torch.from_numpy`.
"""

import torch
from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind
from torchclinic.error_notes.scene import Operand, Scene
from torchclinic.script.lines import Line

KIND = Kind(
    "ERR070",
    "dtype-mismatch",
    __doc__,
    (
        r"must have the same dtype, but got:? (?P<a>\w+)(?:,? (?:and|!=)? ?)(?P<b>\w+)",
        r"Input type \((?P<c>[\w.: ]+)\) and (?:bias|weight) type \((?P<d>[\w.: ]+)\) should be the same",
        r"expected (?:scalar type|dtype) (?P<e>\w+)(?: for `\w+`)? but (?:found|got dtype) (?P<f>\w+)",
        r"expected m1 and m2 to have the same dtype, but got: (?P<g>[\w: ]+) != (?P<h>[\w: ]+)",
        r"Expected self\.dtype to be equal to src\.dtype",
        r"got (?P<i>\w+) for the destination and (?P<j>\w+) for the source",
    ),
)


def explain(scene: Scene) -> Explanation | None:
    first, second = (next((scene[group] for group in groups if scene[group]), "") for groups in ("acegi", "bdfhj"))
    if "cuda" in first + second:
        return None
    given = scene.layer_input
    parameter = next(iter(scene.layer.parameters(recurse=False)), None) if scene.layer is not None else None
    if isinstance(given, Tensor) and parameter is not None and given.dtype != parameter.dtype:
        return _layer(scene, given, parameter)
    named = {_DTYPES.get(first), _DTYPES.get(second)} - {None}
    of_these = [o for o in scene.operands if o.tensor.dtype in named]
    seen = ", ".join(f"{o.name} is {_name(o.tensor.dtype)}" for o in of_these)
    types = f"types {first} and {second}" if first and second else "different types"
    cause = f"The operands have {types}{f' ({seen})' if seen else ''}, and are not converted"
    odd = [o for o in of_these if o.tensor.dtype != torch.float32]
    if len(odd) == 1 and torch.float32 in named:
        edit = scene.repair(odd[0].node, "{}.float()", lambda t: t.float())
        at = _setting(scene, odd[0]) if edit is None else None
        return Explanation(cause, f"Convert {odd[0].name} to float32 where it becomes a tensor, with .float()", at, edit)
    return Explanation(
        cause,
        (
            "Convert the one that is not float32: x.float() (NumPy makes float64; lists of integers int64). In a "
            "loss, classes are .long()"
        ),
    )


def _setting(scene: Scene, operand: Operand) -> Line | None:
    """The construction of the layer, where the operand is a tensor that it was given."""
    made = scene.construction
    return made.source.line(made.call) if operand.node is None and made is not None else None


_DTYPES = {
    "Double": torch.float64,
    "double": torch.float64,
    "Float": torch.float32,
    "float": torch.float32,
    "Half": torch.float16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Byte": torch.uint8,
    "BFloat16": torch.bfloat16,
}


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _layer(scene: Scene, given: Tensor, parameter: Tensor) -> Explanation:
    node = scene.node_of(given)
    got, held = _name(given.dtype), _name(parameter.dtype)
    cause = f"The input of {scene.layer_name} is {got} and its weights are {held}; a layer does not convert its input"
    if given.dtype.is_complex:
        birth = scene.birth(node)
        return Explanation(
            cause, "Feed magnitudes, x.abs(), or real and imaginary part as two features", birth.line if birth is not None else None
        )
    form = "{}.float()" if parameter.dtype == torch.float32 else "{}.to(torch." + held + ")"
    edit = scene.repair(node, form, lambda t: t.to(parameter.dtype))
    if parameter.dtype != torch.float32:
        return Explanation(
            cause,
            (
                f"Leave the model in float32 (something like .{_SHORT.get(held, 'double')}() changed it), or convert every batch: "
                f"x.to({parameter.dtype})"
            ),
            None if edit else scene.line,
            edit,
        )
    how = {"uint8": "image.float() / 255", "int64": "x.float() (labels stay int64)"}.get(got, "x.float() (NumPy makes float64)")
    return Explanation(cause, f"Convert the input where it becomes a tensor: {how}", None if edit else scene.line, edit)


_SHORT = {"float64": "double", "float16": "half", "bfloat16": "bfloat16"}


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("layer(x)", "layer(x.float())")


_SCRIPT = """
import torch
x = torch.zeros(4, 3, dtype=torch.float64)
layer = torch.nn.Linear(3, 2)
out = layer(x)
"""
