"""What a torch function does to a mean square: multiplies by weights, bends, normalizes, carries, adds, or something else."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchclinic.theory.activations import Activation, activation, leaky
from torchclinic.vocabulary import ACTIVATIONS, ALPHA_DROPOUTS, CASTS, DROPOUTS, JOINS, NORMALIZATIONS

CONVOLUTIONS = {f"conv{'_transpose' if t else ''}{n}d" for n in (1, 2, 3) for t in (False, True)}
PRODUCTS = {"matmul", "mm", "rmatmul", "addmm"}
LINEAR = {"linear", *PRODUCTS, *CONVOLUTIONS}
CARRIES = CASTS | frozenset(
    """
    view reshape flatten unflatten permute transpose t contiguous squeeze unsqueeze clone movedim swapaxes swapdims view_as chunk
    split unbind tensor_split channel_shuffle pixel_shuffle requires_grad __get__ get as_subclass flip roll repeat_interleave
    """.split()
)
BENDS = ACTIVATIONS | {"clamp", "clamp_min"}


@dataclass
class Operation:
    """`role`: input, linear, embedding, activation, norm, dropout, add, scale, cat, carry, or opaque (theory cannot say)."""

    role: str
    name: str
    phi: Activation | None = None
    parameter: str = ""
    weight: Tensor | None = None
    spatial: bool = False
    values: dict[str, float] = field(default_factory=dict)
    measured: dict[str, Tensor] = field(default_factory=dict)
    measure: Callable[["Operation", tuple[Any, ...], dict[str, Any], Tensor], None] | None = None

    def complete(self, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
        assert self.measure is not None
        self.measure(self, args, kwargs, output)


def classify(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], parameters: Mapping[int, str]) -> Operation:
    raw = getattr(func, "__name__", "opaque")
    name = raw.strip("_") if raw != "__get__" else raw
    if name in LINEAR:
        return _linear(name, args, kwargs, parameters)
    if name in BENDS:
        return _bend(name, func, args, kwargs)
    if name in NORMALIZATIONS:
        return Operation("norm", name, measure=_measure_norm)
    if name in DROPOUTS - ALPHA_DROPOUTS:
        p, training = _argument(args, kwargs, 1, "p", 0.5), _argument(args, kwargs, 2, "training", True)
        return Operation("dropout" if training and p else "carry", name, values={"p": float(p)})
    if name == "embedding":
        weight = _argument(args, kwargs, 1, "weight", None)
        return Operation("embedding", name, parameter=parameters.get(id(weight), ""), weight=weight, measure=_measure_weight)
    if name in ("add", "iadd", "radd", "sub", "isub"):
        return _add(name, args, kwargs, parameters)
    if name in ("mul", "imul", "rmul", "div", "truediv", "itruediv"):
        return _scale(name, args, parameters)
    if name in JOINS:
        return Operation("cat", name)
    return Operation("carry" if name in CARRIES else "opaque", name)


def _argument(args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str, default: Any) -> Any:
    return args[position] if len(args) > position else kwargs.get(name, default)


def _linear(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], parameters: Mapping[int, str]) -> Operation:
    if name in PRODUCTS:
        weight = next((value for value in args[-2:] if id(value) in parameters and value.dim() == 2), None)
        if weight is None:
            return Operation("opaque", name)
    else:
        weight = _argument(args, kwargs, 1, "weight", None)
    operation = Operation("linear", name, parameter=parameters.get(id(weight), ""), weight=weight)
    operation.spatial = name in CONVOLUTIONS
    operation.measure = _measure_linear
    return operation


def _bend(name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation:
    if name == "relu":
        return Operation("activation", name, phi=activation("relu"))
    if name == "leaky_relu":
        return Operation("activation", name, phi=leaky(_argument(args, kwargs, 1, "negative_slope", 0.01)))
    if name == "glu":
        return Operation("activation", name, phi=Activation("glu", torch.sigmoid, gated=True))
    if name == "prelu":
        slopes = _argument(args, kwargs, 1, "weight", None).detach().double()
        phi = Activation(name, partial(F.leaky_relu, negative_slope=float(slopes.mean())), (float(slopes.square().mean()), 1.0))
        return Operation("activation", name, phi=phi)
    if name == "rrelu" or any(isinstance(value, Tensor) for value in args[1:]):
        return Operation("opaque", name)
    rest, options = args[1:], {key: value for key, value in kwargs.items() if key not in ("inplace", "input")}
    return Operation("activation", name, phi=Activation(name, lambda x: func(x, *rest, **options)))


def _add(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], parameters: Mapping[int, str]) -> Operation:
    other = args[1] if len(args) > 1 else kwargs.get("other")
    if kwargs.get("alpha", 1) != 1 or not isinstance(other, Tensor):
        return Operation("opaque", name)
    for value in args[:2]:
        if id(value) in parameters:
            weight = value.detach()
            return Operation("shift", name, measured={"shift": weight.square().mean()})
    return Operation("add", name)


def _scale(name: str, args: tuple[Any, ...], parameters: Mapping[int, str]) -> Operation:
    for value in args[1::-1]:
        if isinstance(value, int | float) and not isinstance(value, bool):
            factor = float(value) if "mul" in name else (1 / value if value and value is args[1] else math.nan)
            return Operation("scale", name, values={"scale": factor**2}) if math.isfinite(factor) else Operation("opaque", name)
        if id(value) in parameters and "mul" in name:
            return Operation("scale", name, measured={"scale": value.detach().square().mean()})
    return Operation("opaque", name)


def _measure_weight(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
    weight = operation.weight
    assert weight is not None
    weight = weight.detach().float() if weight.dtype not in (torch.float32, torch.float64) else weight.detach()
    operation.values["weight_numel"] = weight.numel()
    operation.measured["weight_mean_square"] = torch.linalg.vector_norm(weight).square() / weight.numel()
    operation.measured["weight_mean"] = weight.mean()
    operation.measured["identical_rows"] = identical_rows(weight)
    operation.measured["orthogonal"] = _orthogonal(weight)


def _orthogonal(weight: Tensor) -> Tensor:
    """1 if the first 32 rows of a matrix are orthogonal and of one length, up to rounding; else 0."""
    if weight.dim() != 2 or weight.shape[0] > weight.shape[1] or weight.shape[1] < 4:
        return weight.new_zeros(())
    rows = weight[:32]
    gram = rows @ rows.T
    ideal = torch.eye(len(rows), device=gram.device, dtype=gram.dtype) * gram[0, 0]
    return ((gram - ideal).abs().max() <= 1e-4 * gram[0, 0]).to(weight.dtype)


def identical_rows(weight: Tensor, tolerance: float = 0.0) -> Tensor:
    """How many rows of [out, ...] equal the first row, or the row before; 0 where all differ. At most 64 columns are read.

    `tolerance` is absolute: sums of equal terms may round differently from row to row.
    """
    rows = weight.flatten(1)
    if len(rows) < 2 or rows.shape[1] == 0:
        return torch.zeros((), device=weight.device)
    probe = rows[:, :: max(1, rows.shape[1] // 64)]
    first = ((probe[1:] - probe[:1]).abs() <= tolerance).all(1).sum()
    before = ((probe[1:] - probe[:-1]).abs() <= tolerance).all(1).sum()
    return torch.maximum(first, before)


def _measure_linear(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
    _measure_weight(operation, args, kwargs, output)
    weight = operation.weight
    assert weight is not None
    signal = next(value for value in args if isinstance(value, Tensor) and value is not weight)
    if operation.name == "addmm":
        signal = args[1] if args[1] is not weight else args[2]
    bias = _argument(args, kwargs, 2, "bias", None) if operation.name not in PRODUCTS else None
    bias = args[0] if operation.name == "addmm" else bias
    operation.values["signal_numel"] = signal.numel()
    if isinstance(bias, Tensor):
        operation.measured["bias_mean_square"] = bias.detach().float().square().mean()
    if operation.spatial:
        _measure_taps(operation, signal, args, kwargs, output)
    else:
        transposed = operation.name in PRODUCTS and weight is not args[0]
        operation.values["fan_in"] = weight.shape[0] if transposed else weight.shape[-1]


def _measure_taps(operation: Operation, signal: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
    """Products summed in an output on average: borders, strides and dilation counted by a convolution of ones with ones."""
    weight = operation.weight
    assert weight is not None
    transposed = "transpose" in operation.name
    names = (
        ("stride", "padding", "output_padding", "groups", "dilation") if transposed else ("stride", "padding", "dilation", "groups")
    )
    given = dict(zip(names, args[3:], strict=False)) | {key: kwargs[key] for key in names if key in kwargs}
    groups = given.pop("groups", 1)
    channels = weight.shape[0] // groups if transposed else weight.shape[1]
    ones = torch.ones((1, 1, *signal.shape[2 - weight.dim() :]), device=signal.device)
    kernel = torch.ones((1, 1, *weight.shape[2:]), device=signal.device)
    operation.measured["fan_in"] = getattr(F, operation.name)(ones, kernel, **given).mean() * channels


def _measure_norm(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
    """Scale and shift, and the mean of γ² / (variance + eps), by which the backward pass multiplies."""
    x = args[0].detach().float()
    positions = {
        "batch_norm": (3, 4, 7),
        "layer_norm": (2, 3, 4),
        "group_norm": (2, 3, 4),
        "instance_norm": (3, 4, 7),
        "rms_norm": (2, 99, 3),
    }[operation.name]
    weight = _argument(args, kwargs, positions[0], "weight", None)
    bias = _argument(args, kwargs, positions[1], "bias", None)
    eps = _argument(args, kwargs, positions[2], "eps", 1e-5)
    operation.values["eps"] = 1.2e-7 if eps is None else float(eps)
    gamma = x.new_ones(()) if weight is None else weight.detach().float().square()
    operation.measured["scale"] = gamma.mean()
    operation.measured["shift"] = x.new_zeros(()) if bias is None else bias.detach().float().square().mean()
    if operation.name == "batch_norm" and not _argument(args, kwargs, 5, "training", False):
        running_mean, running_var = args[1].detach(), args[2].detach()
        operation.measured["affine"] = (gamma / (running_var + operation.values["eps"])).mean()
        operation.measured["center"] = running_mean.abs().max()
        return
    if operation.name == "batch_norm":
        dims = tuple(dim for dim in range(x.dim()) if dim != 1)
    elif operation.name in ("layer_norm", "rms_norm"):
        dims = tuple(range(-len(_argument(args, kwargs, 1, "normalized_shape", ())), 0))
    else:
        groups = _argument(args, kwargs, 1, "num_groups", 1) if operation.name == "group_norm" else x.shape[1]
        x, dims = x.reshape(x.shape[0], groups, -1), (2,)
    operation.values["pooled"] = math.prod(x.shape[dim] for dim in dims)
    variance = x.square().mean(dims) if operation.name == "rms_norm" else x.var(dims, correction=0)
    inverse = 1 / (variance + operation.values["eps"])
    operation.measured["inverse_variance"] = (
        (gamma * inverse).mean() if inverse.shape == gamma.shape else (gamma.mean() * inverse.mean())
    )
