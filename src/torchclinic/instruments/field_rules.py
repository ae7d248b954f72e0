"""How each ATen operation maps receptive fields. An operation without a rule may mix all of space: an upper bound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import torch
from torch import Tensor

from torchclinic.cnn.geometry import Axis
from torchclinic.cnn.receptive_field import Field, Span, Status, whole, worst

Dims = tuple[int, int]
Inputs = list[tuple[Tensor, "Located"]]


@dataclass(frozen=True, slots=True)
class Located:
    """The field of a tensor's pixels, and which of its dimensions are rows and columns (None: none are left)."""

    field: Field
    dims: Dims | None
    merged: tuple[int, ...] = ()  # rows and columns are merged into dimension 0, which had this shape


def follow(func: Any, args: Any, kwargs: Any, inputs: Inputs, output: Tensor, size: tuple[int, int]) -> Located:
    """The field of `output` = func(*args), given its inputs'; `size` is rows and columns of the model's input."""
    name = func.overloadpacket.__name__.removesuffix("_")
    status = worst(*(located.field.status for _, located in inputs))
    located: Located | None
    tensor, first = inputs[0]
    if first.merged and name in _MATRIX:
        located = first if len(inputs) == 1 and output.shape[0] == tensor.shape[0] else None
    elif name in _ONE_INPUT:
        moved = first.dims is not None and args[0] is tensor and len(inputs) == 1
        moved = moved and (not first.merged or name in ("view", "_unsafe_view"))
        located = _ONE_INPUT[name](args, kwargs, tensor, first, output) if moved else None
    elif name == "cat" and _argument(args, kwargs, 1, "dim", 0) % output.dim() in (first.dims or ()):
        located = None
    elif torch.Tag.pointwise in func.tags or name in _SAME_PIXELS:
        located = _join(inputs)
    else:
        located = None
    if located is not None:
        return located
    dims = next((each.dims for _, each in inputs if each.dims and not each.merged), None)
    kept = dims if dims is not None and output.dim() > max(dims) else None
    return Located(whole(size, worst(status, "data-dependent" if name in _GLOBAL else "upper bound")), kept)


def _join(inputs: Inputs) -> Located | None:
    """Pixel by pixel over several inputs: the maximum over paths. A field of the whole input takes part as it is."""
    result = inputs[0][1]
    for tensor, located in inputs[1:]:
        field = result.field.joined(located.field)
        if field is None or (tensor.dim() == inputs[0][0].dim() and located.dims != result.dims):
            return _absorb([each for _, each in inputs])
        result = Located(field, result.dims, result.merged)
    return result


def _absorb(located: Sequence[Located]) -> Located | None:
    """If one input has seen everything, so has the output."""
    everything = [each for each in located if each.field.rows.stride == 0 and each.field.columns.stride == 0]
    if not everything:
        return None
    dims = next((each.dims for each in located if each.dims), None)
    status = worst(*(each.field.status for each in located))
    return Located(Field(everything[0].field.rows, everything[0].field.columns, status), dims)


def _both(values: Sequence[int], fallback: Sequence[int] = ()) -> tuple[int, int]:
    values = values or fallback
    return values[0], values[-1]


def _argument(args: Any, kwargs: Any, index: int, name: str, default: Any) -> Any:
    return args[index] if len(args) > index else kwargs.get(name, default)


def _window(first: Located, axes: tuple[Axis, Axis], status: Status = "exact") -> Located:
    field = first.field
    rows, columns = field.rows.through(axes[0]), field.columns.through(axes[1])
    return Located(Field(rows, columns, worst(field.status, status)), first.dims)


def _convolution(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    if x.dim() != 4 or first.dims != (2, 3):
        return None
    weight, stride, padding, dilation, transposed = args[1], args[3], args[4], args[5], args[6]
    kernel = tuple(weight.shape[2:])
    axes = [Axis(k, s, p, p, d) for k, s, p, d in zip(kernel, _both(stride), _both(padding), _both(dilation), strict=True)]
    if not transposed:
        return _window(first, (axes[0], axes[1]))
    rows, columns = (
        span.through_transposed(axis) for span, axis in zip((first.field.rows, first.field.columns), axes, strict=True)
    )
    status: Status = "exact" if max(_both(stride)) == 1 else "upper bound"
    return Located(Field(rows, columns, worst(first.field.status, status)), first.dims)


def _pool(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    kernel = _both(args[1])
    strides = _both(_argument(args, kwargs, 2, "stride", ()), kernel)
    paddings = _both(_argument(args, kwargs, 3, "padding", (0,)), (0,))
    dilation = _argument(args, kwargs, 4, "dilation", 1)
    dilations = _both(dilation) if isinstance(dilation, list | tuple) else (1, 1)  # an average has ceil_mode here
    rows, columns = (Axis(k, s, p, p, d) for k, s, p, d in zip(kernel, strides, paddings, dilations, strict=True))
    return _window(first, (rows, columns))


def _adaptive(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    axes = []
    for size, out in zip(x.shape[-2:], output.shape[-2:], strict=True):
        if size % out:
            return None
        axes.append(Axis(size // out, size // out))
    located = _window(first, (axes[0], axes[1]), "data-dependent")
    return located if output.shape[-2:] != (1, 1) else None


def _pad(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    """`args[1]` lists (before, after) from the last dimension backwards."""
    before = {x.dim() - 1 - i // 2: args[1][i] for i in range(0, len(args[1]), 2)}
    axes = [Axis(1, 1, before.get(dim, 0)) for dim in first.dims or ()]
    return _window(first, (axes[0], axes[1]))


def _slice(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    dim = _argument(args, kwargs, 1, "dim", 0) % x.dim()
    start = _argument(args, kwargs, 2, "start", None) or 0
    step = _argument(args, kwargs, 4, "step", 1)
    start = max(0, start + x.shape[dim] if start < 0 else start)
    axes = [Axis(1, step, -start) if dim == mine else Axis(1) for mine in first.dims or ()]
    return _window(first, (axes[0], axes[1]))


def _select(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    return _remap(first, [d for d in range(x.dim()) if d != args[1] % x.dim()])


def _permute(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    return _remap(first, [d % x.dim() for d in args[1]])


def _transpose(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    order = list(range(x.dim()))
    a, b = args[1] % x.dim(), args[2] % x.dim()
    order[a], order[b] = b, a
    return _remap(first, order)


def _remap(first: Located, order: list[int]) -> Located | None:
    rows, columns = first.dims or (-1, -1)
    return Located(first.field, (order.index(rows), order.index(columns))) if {rows, columns} <= set(order) else None


def _view(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    """Rows and columns survive a view if a new dimension starts at the same place and has the same size."""
    if first.merged:
        return Located(first.field, first.dims) if output.shape[:-1] == first.merged else None
    leading = x.dim() > 2 and x.dim() - 1 not in (first.dims or ()) and output.dim() == 2
    if leading and output.shape[1] == x.shape[-1]:
        return Located(first.field, first.dims, tuple(x.shape[:-1]))
    found = []
    for dim in first.dims or ():
        ahead, size = prod(x.shape[:dim]), x.shape[dim]
        same = [d for d in range(output.dim()) if prod(output.shape[:d]) == ahead and output.shape[d] == size]
        found += same[-1:]
    if len(found) == 2 and found[0] != found[1]:
        return Located(first.field, (found[0], found[1]))
    seen_all = _absorb([first])  # nothing is left to mix
    return Located(seen_all.field, None) if seen_all else None


def _mean(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    """A reduction over other dimensions leaves the pixels apart."""
    reduced = {d % x.dim() for d in (_argument(args, kwargs, 1, "dim", None) or range(x.dim()))}
    if reduced & set(first.dims or ()):
        return None
    keep = _argument(args, kwargs, 2, "keepdim", False)
    return first if keep else _remap(first, [d for d in range(x.dim()) if d not in reduced])


def _normalize(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    """Batch normalization with stored statistics acts pixel by pixel; with those of the batch it sees all pixels."""
    training = _argument(args, kwargs, 5, "training", False)
    return None if training is True else first


def _layer_norm(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    normalized = range(x.dim() - len(args[1]), x.dim())
    return None if set(normalized) & set(first.dims or ()) else first


def _softmax(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    return None if args[1] % x.dim() in (first.dims or ()) else first


def _nearest(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    return _interpolate(x, first, output, reach=1)


def _bilinear(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    return None if args[2] else _interpolate(x, first, output, reach=1)  # align_corners moves the grid


def _bicubic(args: Any, kwargs: Any, x: Tensor, first: Located, output: Tensor) -> Located | None:
    return None if args[2] else _interpolate(x, first, output, reach=2)


def _interpolate(x: Tensor, first: Located, output: Tensor, reach: int) -> Located | None:
    spans: list[Span] = []
    for span, before, after in zip((first.field.rows, first.field.columns), x.shape[-2:], output.shape[-2:], strict=True):
        spans.append(span.enlarged(Fraction(after, before), reach))
    return Located(Field(spans[0], spans[1], worst(first.field.status, "upper bound")), first.dims)


_SAME_PIXELS = frozenset(
    """
    clone detach _to_copy contiguous alias copy native_dropout lift_fresh cat hardswish hardsigmoid
    _prelu_kernel prelu relu6 selu celu glu log_sigmoid_forward
    """.split()
)  # pixel by pixel, though not all are tagged so
_GLOBAL = frozenset(
    """
    mean sum amax adaptive_max_pool2d _adaptive_avg_pool2d view _unsafe_view native_batch_norm native_group_norm
    native_layer_norm _softmax addmm mm bmm var_mean linear _scaled_dot_product_flash_attention_for_cpu
    _scaled_dot_product_flash_attention baddbmm
    """.split()
)  # over space these see everything
_MATRIX = {"mm", "addmm"}  # a linear layer over channels, applied to all pixels at once
_Rule = Callable[[Any, Any, Tensor, Located, Tensor], Located | None]
_ONE_INPUT: dict[str, _Rule] = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _pool,
    "avg_pool2d": _pool,
    "_adaptive_avg_pool2d": _adaptive,
    "adaptive_max_pool2d": _adaptive,
    "constant_pad_nd": _pad,
    "reflection_pad2d": _pad,
    "replication_pad2d": _pad,
    "slice": _slice,
    "select": _select,
    "permute": _permute,
    "transpose": _transpose,
    "view": _view,
    "_unsafe_view": _view,
    "mean": _mean,
    "sum": _mean,
    "amax": _mean,
    "native_batch_norm": _normalize,
    "_native_batch_norm_legit_no_training": lambda _args, _kwargs, _x, first, _output: first,
    "native_layer_norm": _layer_norm,
    "_softmax": _softmax,
    "upsample_nearest2d": _nearest,
    "upsample_bilinear2d": _bilinear,
    "upsample_bicubic2d": _bicubic,
}
