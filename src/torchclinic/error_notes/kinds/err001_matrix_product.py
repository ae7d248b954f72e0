"""Two matrices are multiplied whose inner sizes differ.

## What it means
An [N, K] matrix takes a [K, P] matrix: the columns of the left are the rows of the right. `nn.Linear` multiplies its input by
its transposed weight, so the last dimension of the input must be `in_features`.
## Evidence
The shapes of the message; the layer with its sizes and its input; the operands of the line.
## When this is fine
Never: the script stopped.
## Fix
A missing `flatten(1)`, a transposed operand, or a layer built for another number of features: whichever the sizes show.
## References
PyTorch documentation, `torch.mm`, `torch.nn.Linear`.
"""

import ast
import math

from torch import Tensor, nn

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene, same
from torchclinic.error_notes.source import Edit

KIND = Kind(
    "ERR001",
    "matrix-product",
    __doc__,
    (r"mat1 and mat2 shapes cannot be multiplied \((?P<n>\d+)x(?P<k>\d+) and (?P<m>\d+)x(?P<p>\d+)\)",),
)


def explain(scene: Scene) -> Explanation:
    n, k, m, p = (scene.number(group) for group in "nkmp")
    if isinstance(scene.layer, nn.Linear) and scene.layer_input is not None:
        return _linear(scene, scene.layer_input, m)
    if isinstance(scene.layer, nn.MultiheadAttention):
        return _attention(scene, scene.layer, k, m)
    return _product(scene, n, k, m, p)


def _linear(scene: Scene, given: Tensor, m: int) -> Explanation:
    sizes, k = tuple(given.shape), given.shape[-1]
    name = scene.layer_name
    cause = f"{name} takes rows of {m} features (in_features={m}), and its input {shape(sizes)} has {k} in its last dimension."
    start = next((d for d in range(1, len(sizes) - 1) if math.prod(sizes[d:]) == m), None)
    if start is not None:
        cause += f" The {m} features are there, spread over the dimensions {shape(sizes[start:])}."
        edit, fix = _flattened(scene, given, start), f"Flatten them before the layer: x.flatten({start}) keeps the batch apart."
        return Explanation(cause, fix, edit.line if edit else scene.line, edit)
    whole = given._base
    if given.dim() == 1 and whole is not None and k % m == 0 and whole.dim() > 1 and math.prod(whole.shape[1:]) == m:
        cause = (
            f"{name} takes rows of {m} features. All {whole.shape[0]} samples were flattened into one row: "
            f"{whole.shape[0]} · {m} = {k}."
        )
        birth = scene.birth(scene.node_of(given))
        edit = _flatten_edit(scene, given) if scene.passes_layer(whole.flatten(1)) else None
        return Explanation(
            cause, "Flatten from dimension 1 on, flatten(1): the batch stays apart.", None if birth is None else birth.line, edit
        )
    if len(sizes) == 2 and sizes[0] == m and given.grad_fn is None and _samples_are_columns(scene, given):
        node = scene.node_of(given)
        edit = scene.repair(node, "{}.t()", lambda t: t.t())
        cause += f" It has {m} rows: features and samples are exchanged."
        return Explanation(cause, "Transpose the data, so that each row is a sample.", None if edit else scene.line, edit)
    parts = _joined(given, m)
    if parts:
        rows = f"{sizes[0] // parts} rows became {sizes[0]}"
        cause += f" {parts} tensors were joined along dimension 0 (so {rows}), and {parts} · {k} = {m}."
        edit = _cat_edit(scene, given, parts)
        return Explanation(cause, "Join along the features: torch.cat(..., dim=1).", edit=edit)
    edit = scene.layer_edit("in_features", k)
    at = scene.construction.source.line(scene.construction.call) if scene.construction is not None and edit is None else None
    fix = f"Build the layer with in_features={k}, if the input is as it should be; else change what makes the input."
    return Explanation(cause, fix, at, edit)


def _samples_are_columns(scene: Scene, given: Tensor) -> bool:
    """Another tensor of the script has as many rows as this one has columns, and none as many as this one has rows."""
    others = [v for f in scene.frames for v in f.names.values() if isinstance(v, Tensor) and not same(v, given) and v.dim() > 0]
    rows = {other.shape[0] for other in others if not isinstance(other, nn.Parameter)}
    return given.shape[1] in rows and given.shape[0] not in rows


def _flattened(scene: Scene, given: Tensor, start: int) -> Edit | None:
    """On the failing line where it hands the tensor to the layer; else a Flatten before the layer in its container."""
    call = scene.expression
    if isinstance(call, ast.Call) and scene.value(call.func) is scene.layer:
        return scene.changed(scene.argument(0), f"{{}}.flatten({start})")
    made = scene.construction
    if made is None or start != 1 or not scene.passes_layer(given.flatten(start)):
        return None
    around = made.source.parent(made.call)
    inside = isinstance(around, ast.Call) and made.source.text(around.func).endswith("Sequential")
    prefix = made.source.text(made.call.func).rpartition(".")[0]
    return made.source.edit({made.call: f"{prefix}.Flatten(), {made.source.text(made.call)}"}) if inside and prefix else None


def _flatten_edit(scene: Scene, given: Tensor) -> Edit | None:
    birth = scene.birth(scene.node_of(given))
    call = birth.expression if birth is not None else None
    if birth is None or not isinstance(call, ast.Call) or call.keywords:
        return None
    text = birth.source.text(call)
    if text.startswith("torch.flatten(") and len(call.args) == 1:
        return birth.source.edit({call: f"torch.flatten({birth.source.text(call.args[0])}, 1)"})
    if isinstance(call.func, ast.Attribute) and call.func.attr == "flatten" and not call.args:
        return birth.source.edit({call: f"{birth.source.text(call.func.value)}.flatten(1)"})
    return None


def _joined(given: Tensor, m: int) -> int:
    """How many tensors were joined along dimension 0 that side by side would have m features; 0 if it was not so."""
    made = given.grad_fn
    if made is None or made.name() != "CatBackward0" or getattr(made, "_saved_dim", None) != 0:
        return 0
    parts = len(made.next_functions)
    return parts if parts > 1 and parts * given.shape[-1] == m and given.shape[0] % parts == 0 else 0


def _cat_edit(scene: Scene, given: Tensor, parts: int) -> Edit | None:
    source = scene.frames[-1].source
    if source is None:
        return None
    calls = [node for node in source.walk(ast.Call) if isinstance(node, ast.Call) and source.text(node.func).endswith("cat")]
    if len(calls) != 1 or len(calls[0].args) != 1 or calls[0].keywords:
        return None
    call = calls[0]
    side_by_side = given.new_empty((given.shape[0] // parts, parts * given.shape[-1]), device="meta")
    text = f"{source.text(call.func)}({source.text(call.args[0])}, dim=1)"
    return source.edit({call: text}) if scene.passes_layer(side_by_side) else None


def _attention(scene: Scene, layer: nn.MultiheadAttention, k: int, m: int) -> Explanation:
    names = scene.call("forward")
    widths = {name: names[name].shape[-1] for name in ("query", "key", "value") if isinstance(names.get(name), Tensor)}
    expected = {"query": layer.embed_dim, "key": layer.kdim, "value": layer.vdim}
    wrong = [
        f"{name} has {width} features and must have {expected[name]}" for name, width in widths.items() if width != expected[name]
    ]
    made = scene.construction
    at = made.source.line(made.call) if made is not None else None
    fix = (
        f"Build the attention with kdim={widths.get('key', k)} and vdim={widths.get('value', k)}, or project the "
        f"input to {m} features."
    )
    if wrong and "query" not in wrong[0] and at is not None and made is not None:
        given = (names["query"], names["key"], names["value"])
        built = nn.MultiheadAttention(
            layer.embed_dim, layer.num_heads, kdim=widths["key"], vdim=widths["value"], batch_first=layer.batch_first, device="meta"
        )
        if scene.passes_layer(*given, layer=built) and not {k.arg for k in made.call.keywords} & {"kdim", "vdim"}:
            text = made.source.text(made.call).rstrip(")").rstrip(", ")
            edit = made.source.edit({made.call: f"{text}, kdim={widths['key']}, vdim={widths['value']})"})
            return Explanation(f"In {scene.layer_name}, {'; '.join(wrong)}.", fix, at, edit)
    return Explanation(f"In {scene.layer_name}, {'; '.join(wrong) or f'{k} features meet {m}'}.", fix, at)


def _product(scene: Scene, n: int, k: int, m: int, p: int) -> Explanation:
    cause = f"The inner sizes differ: [{n}, {k}] @ [{m}, {p}] needs {k} = {m}."
    left, right = _sides(scene, (n, k), (m, p))
    fix = "Transpose one of the two" if k == p or n == m else f"Give the left operand {m} columns or the right one {k} rows"
    if scene.seen and k == p and n != m and right is not None:
        made = _swapped(scene, right) or scene.repair(right, "{}.t()", lambda t: t.mT)
        return Explanation(
            cause, f"Transpose {scene.text(right)} ([{p}, {m}]): then {k} meets {p}.", None if made else scene.line, made
        )
    if scene.seen and n == m and k != p and left is not None:
        made = scene.repair(left, "{}.t()", lambda t: t.mT)
        return Explanation(
            cause, f"Transpose {scene.text(left)} ([{k}, {n}]): then {n} meets {m}.", None if made else scene.line, made
        )
    hint = (
        ""
        if scene.seen
        else f" In an nn.Linear, {m} is in_features, and its input had {k}: a missing flatten(1), or another size of the layer"
    )
    return Explanation(cause, f"{fix}.{hint}")


def _sides(scene: Scene, left: tuple[int, int], right: tuple[int, int]) -> tuple[ast.expr | None, ast.expr | None]:
    """The operands of these shapes, where they can be told apart."""
    found = [[o.node for o in scene.operands if tuple(o.tensor.shape) == side and o.node is not None] for side in (left, right)]
    if left == right:
        return None, None
    return tuple(nodes[0] if len(nodes) == 1 else None for nodes in found)  # type: ignore[return-value]


def _swapped(scene: Scene, node: ast.expr) -> Edit | None:
    """A tensor that the script made with torch.zeros(rows, columns) and the like, made with its sizes exchanged."""
    birth = scene.first_birth(node)
    call = birth.expression if birth is not None else None
    if birth is None or not isinstance(call, ast.Call) or len(call.args) != 2 or not isinstance(call.func, ast.Attribute):
        return None
    if call.func.attr not in ("zeros", "ones", "randn", "rand", "empty"):
        return None
    first, second = (birth.source.text(argument) for argument in call.args)
    tried = scene.birth_edit(node, "{}", lambda t: t.mT, first=True)
    return birth.source.edit({call.args[0]: second, call.args[1]: first}) if tried is not None else None


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("model(images)", "model(images.flatten(1))")


_SCRIPT = """
import torch

images = torch.rand(8, 1, 14, 14)
model = torch.nn.Linear(196, 10)
scores = model(images)
"""
