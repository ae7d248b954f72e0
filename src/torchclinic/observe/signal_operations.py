<<<<<<< HEAD
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

CONVOLUTIONS = {f"conv{'_transpose' if t else ''}{n}d" for n in (1, 2, 3) for t in (False, True)}
LINEAR = {"linear", "matmul", "mm", "rmatmul", "addmm", *CONVOLUTIONS}
NORMS = {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"}
DROPOUTS = {"dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout"}
CARRIES = {
    "view", "reshape", "flatten", "unflatten", "permute", "transpose", "t", "contiguous", "squeeze", "unsqueeze", "clone",
    "to", "float", "double", "type", "movedim", "swapaxes", "swapdims", "view_as", "chunk", "split", "unbind",
    "tensor_split", "channel_shuffle", "pixel_shuffle", "cpu", "cuda", "type_as", "bfloat16", "half", "requires_grad",
    "__get__", "get", "as_subclass", "flip", "roll", "repeat_interleave",
}  # fmt: skip
BENDS = {
    "relu", "relu6", "elu", "selu", "celu", "gelu", "silu", "mish", "tanh", "sigmoid", "softplus", "softsign", "hardtanh",
    "hardswish", "hardsigmoid", "logsigmoid", "softshrink", "hardshrink", "tanhshrink", "leaky_relu", "prelu", "rrelu",
    "threshold", "clamp", "clamp_min", "sin", "erf", "glu",
}  # fmt: skip


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
    if name in NORMS:
        return Operation("norm", name, measure=_measure_norm)
    if name in DROPOUTS:
        p, training = _argument(args, kwargs, 1, "p", 0.5), _argument(args, kwargs, 2, "training", True)
        return Operation("dropout" if training and p else "carry", name, values={"p": float(p)})
    if name == "embedding":
        weight = _argument(args, kwargs, 1, "weight", None)
        return Operation(
            "embedding", name, parameter=parameters.get(id(weight), ""), weight=weight, measure=_measure_weight
        )
    if name in ("add", "iadd", "radd", "sub", "isub"):
        return _add(name, args, kwargs, parameters)
    if name in ("mul", "imul", "rmul", "div", "truediv", "itruediv"):
        return _scale(name, args, parameters)
    if name in ("cat", "concat", "concatenate", "stack"):
        return Operation("cat", name)
    return Operation("carry" if name in CARRIES else "opaque", name)


def _argument(args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str, default: Any) -> Any:
    return args[position] if len(args) > position else kwargs.get(name, default)


def _linear(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], parameters: Mapping[int, str]) -> Operation:
    if name in ("matmul", "mm", "rmatmul", "addmm"):
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
        phi = Activation(
            name, partial(F.leaky_relu, negative_slope=float(slopes.mean())), (float(slopes.square().mean()), 1.0)
        )
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
            return (
                Operation("scale", name, values={"scale": factor**2})
                if math.isfinite(factor)
                else Operation("opaque", name)
            )
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


def identical_rows(weight: Tensor) -> Tensor:
    """How many rows of [out, ...] equal the first row, or the row before; 0 where all differ."""
=======
"""What single operations reveal: losses, comparisons, in-place writes, copies, the first NaN."""

import inspect
import weakref
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from torchclinic.observe.dataflow import Node, make_node, tensors_in
from torchclinic.observe.facts import is_plain, measure_operand, operand, shares_memory
from torchclinic.observe.lines import user_line
from torchclinic.observe.records import (
    Elementwise,
    LayerPass,
    LossCall,
    MutatedData,
    Operand,
    OverlappingWrite,
    PinnedStorage,
    SilentCopy,
)

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

CLASSIFYING = {"cross_entropy", "nll_loss", "kl_div", "multi_margin_loss"}
LOSSES = CLASSIFYING | {
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "poisson_nll_loss",
    "soft_margin_loss",
    "multilabel_soft_margin_loss",
}
_COMPARISONS = {"eq", "ne"}
_OUTER = {"sub", "mul", "add", "div", "eq", "ne"}
_SPREAD = {"mean", "sum"}
_CUTS = {"numpy", "item", "tolist", "argmax", "detach", "data", "detach_", "__array__", "array"}
_WRITES = {
    "add_",
    "sub_",
    "mul_",
    "div_",
    "clamp_",
    "zero_",
    "fill_",
    "normal_",
    "uniform_",
    "copy_",
    "setitem",
    "neg_",
}
_MUTATING = {"add_", "sub_", "mul_", "div_", "pow_", "neg_", "clamp_", "sqrt_", "log_"}
_COPYING = {"reshape", "contiguous", "flatten", "ravel"}
_SLICES = {"getitem", "select", "narrow", "detach"}
_SINGULAR = {"sqrt", "rsqrt", "norm", "pow", "std", "log", "div", "vector_norm", "linalg_vector_norm", "log10", "log2"}
COPY_FLOOR = 1 << 20  # bytes
LIST_CAP = 400


class OperationWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.losses: list[LossCall] = []
        self.elementwise: list[Elementwise] = []
        self.overlapping: list[OverlappingWrite] = []
        self.mutated: dict[str, MutatedData] = {}
        self._mutated_nodes: list[tuple[MutatedData, Node]] = []
        self.copies: dict[tuple[str, str], SilentCopy] = {}
        self._copy_steps: dict[tuple[str, str], set[int]] = {}
        self._views: list[tuple[weakref.ref[Tensor], weakref.ref[Tensor], int, str, int, int]] = []
        self._outer_nodes: list[tuple[Elementwise, Node]] = []
        self.pinned: list[PinnedStorage] = []

    def watch(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one torch function and note what it reveals. The function mode is off in here."""
        session = self.session
        if not session.listening():
            return func(*args, **kwargs)
        grad = torch.is_grad_enabled()
        loss: LossCall | None = None
        with session.own():
            if name in LOSSES:
                loss = self._loss(name, func, args, kwargs, grad)
            if name == "setitem" or (name.endswith("_") and name in _WRITES):
                self._write(name, args[0])
        result = func(*args, **kwargs)
        with session.own():
            self._made(name, result, args, kwargs, grad)
            if loss is not None and isinstance(result, Tensor):
                self._loss_value(loss, result)
        return result

    def _made(self, name: str, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any], grad: bool) -> None:
        flow, step, where = self.session.flow, self.session.step, self.session.modules.where()
        if isinstance(result, Tensor):
            node = make_node(flow, name, args, kwargs, result, step, where)
            self._look(name, node, result, args, kwargs, grad)
        elif name in _CUTS and args and isinstance(args[0], Tensor):
            flow.leaf(args[0]).cuts.append((name, user_line(3)))
        elif isinstance(result, tuple | list):
            for item in tensors_in(result, 1):
                make_node(flow, name, args, kwargs, item, step, where)
        elif name == "setitem" and args and isinstance(args[0], Tensor):
            make_node(flow, "setitem", args, kwargs, args[0], step, where)

    def _look(
        self, name: str, node: Node, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any], grad: bool
    ) -> None:
        session = self.session
        if name == "getitem":
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            node.inserted_axis = any(item is None for item in index)
        elif name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout"):
            self._dropout(node, args, kwargs)
        elif name in _COPYING:
            self._copy(name, node, result, args[0])
        elif name in _MUTATING and len(self.mutated) < 50:
            self._mutation(name, node, result)
        if name in _OUTER and len(self.elementwise) < LIST_CAP:
            self._outer(name, node, result, args)
        if name in _SPREAD and result.dim() == 0:
            self._reduction(node)
        if name in _SLICES:
            self._slice(node, result, args[0])
        if grad and result.is_floating_point() and not session.training.inside_step:
            session.numerics.look(name, node, result, args)

    def _loss(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], grad: bool) -> LossCall | None:
        session = self.session
        bound = bind(func, args, kwargs)
        prediction, target = bound.get("input"), bound.get("target")
        if not isinstance(prediction, Tensor) or not isinstance(target, Tensor) or len(self.losses) >= LIST_CAP:
            return None
        call = LossCall(
            name,
            session.step,
            user_line(4),
            session.modules.where(),
            grad and (prediction.requires_grad or target.requires_grad),
            session.step == 0,
            any(model.tied for model in session.modules.models.values()),
            self._operand(prediction),
            self._operand(target),
            failed=True,
        )
        call.options = {key: bound[key] for key in _OPTIONS if key in bound and not isinstance(bound[key], Tensor)}
        call.options["weighted"] = isinstance(bound.get("weight"), Tensor)
        fill_loss(call, prediction, target, session.measurements)
        self.losses.append(call)
        return call

    def _operand(self, tensor: Tensor) -> Operand:
        facts = operand(tensor)
        node = self.session.flow.node_of(tensor)
        if node is not None:
            made = node.producer()
            facts.producer, facts.producer_line, facts.producer_scale = made.op, made.line, made.scale
        return facts

    def _loss_value(self, call: LossCall, result: Tensor) -> None:
        call.failed = False
        call.result_numel = result.numel()
        if is_plain(result) and result.numel() == 1:

            def receive(values: list[float]) -> None:
                call.value = values[0]

            self.session.measurements.add([result.detach().reshape(())], receive)

    def _dropout(self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        probability = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
        training = kwargs.get("training", args[2] if len(args) > 2 else True)
        if not training or not probability:
            node.op = "identity"
            return
        node.scale = float(probability)
        forward = self.session.modules._open
        if forward is not None and not any(layer.path == node.where for layer in forward.layers):
            forward.layers.append(LayerPass(node.where, "dropout", True, probability=float(probability)))

    def _write(self, name: str, tensor: Any) -> None:
        if isinstance(tensor, Tensor) and is_plain(tensor) and tensor.numel() > 1:
            strides = tensor.stride()
            if any(stride == 0 and size > 1 for stride, size in zip(strides, tensor.shape, strict=True)):
                self.overlapping.append(
                    OverlappingWrite(user_line(4), name, self.session.step, tuple(tensor.shape), strides)
                )

    def _copy(self, name: str, node: Node, result: Tensor, source: Tensor) -> None:
        nbytes = result.numel() * result.element_size()
        if nbytes < COPY_FLOOR or not is_plain(result) or not is_plain(source) or shares_memory(result, source):
            return
        key = (name, node.line)
        copy = self.copies.setdefault(key, SilentCopy(node.line, name, nbytes, 0, 0, tuple(result.shape)))
        steps = self._copy_steps.setdefault(key, set())
        steps.add(self.session.step)
        copy.calls += 1
        copy.steps = len(steps)

    def _mutation(self, name: str, node: Node, result: Tensor) -> None:
        """An arithmetic in-place change of a piece of a larger tensor of data."""
        if result.requires_grad or not result.is_floating_point() or not node.parents:
            return
        base = result._base
        if (
            base is None
            or base.numel() < 2 * result.numel()
            or base.requires_grad
            or isinstance(base, torch.nn.Parameter)
        ):
            return
        if self.session.modules.stack or self.session.training.inside_step:
            return
        record = self.mutated.setdefault(
            node.line,
            MutatedData(node.line, name, self.session.step, tuple(result.shape), tuple(base.shape), 0, False),
        )
        record.times += 1
        self._mutated_nodes.append((record, node))

    def _outer(self, name: str, node: Node, result: Tensor, args: tuple[Any, ...]) -> None:
        if len(args) < 2 or not isinstance(args[0], Tensor) or not isinstance(args[1], Tensor):
            return
        left, right = args[0], args[1]
        if left.shape == right.shape or left.numel() != right.numel() or left.numel() < 2:
            return
        if result.numel() != left.numel() ** 2 or self.session.modules.stack:
            return
        nodes = [self.session.flow.leaf(left), self.session.flow.leaf(right)]
        inserted = any(n.inserted_axis and n.line == node.line for n in nodes)
        same = nodes[0].producer() is nodes[1].producer()
        record = Elementwise(
            name,
            self.session.step,
            node.line,
            node.where,
            tuple(left.shape),
            tuple(right.shape),
            tuple(result.shape),
            name in _COMPARISONS,
            inserted or same or {left.dim(), right.dim()} != {1, 2},
            left.requires_grad,
            right.requires_grad,
        )
        self.elementwise.append(record)
        self._outer_nodes = [*self._outer_nodes[-50:], (record, node)]

    def _reduction(self, node: Node) -> None:
        if not self._outer_nodes:
            return
        chain: Node | None = node.parents[0] if node.parents else None
        for _ in range(6):
            if chain is None:
                return
            for record, outer in self._outer_nodes:
                if outer is chain:
                    record.reduced = True
            chain = chain.parents[0] if chain.parents else None

    def _slice(self, node: Node, result: Tensor, source: Any) -> None:
        """Remember small views of large results, to see later which of them outlive the large one."""
        if not isinstance(source, Tensor) or not is_plain(result) or not is_plain(source) or result.requires_grad:
            return
        storage = result.untyped_storage()
        used = result.numel() * result.element_size()
        if storage.nbytes() >= COPY_FLOOR and storage.nbytes() >= 8 * used and len(self._views) < 2000:
            base = result._base if result._base is not None else source
            entry = (weakref.ref(result), weakref.ref(base), self.session.step, node.line, used, storage.nbytes())
            self._views.append(entry)

    def end_window(self) -> None:
        """Judge what needs the whole window: views that outlived their base, and mutated data that fed a model."""
        forwards = [node for _, nodes, _ in self.session.modules.outputs.values() for node in nodes]
        touched = {id(ancestor) for node in forwards for ancestor in node.ancestors()}
        for record, node in self._mutated_nodes:
            record.feeds_model = record.feeds_model or id(node) in touched
        self._mutated_nodes.clear()
        self.check_views()

    def check_views(self) -> None:
        """Per line: views of which the base tensor is gone while the view lives on, from at least three steps."""
        lines: dict[str, list[tuple[int, int, int]]] = {}
        for view, base, step, line, used, held in self._views:
            tensor = view()
            if tensor is not None and base() is None and step < self.session.step:
                lines.setdefault(line, []).append((step, used, held))
        for line, found in lines.items():
            if len({step for step, _, _ in found}) >= 3 and not any(pin.line == line for pin in self.pinned):
                used, held = sum(f[1] for f in found), sum(f[2] for f in found)
                self.pinned.append(PinnedStorage(line, "memory", len(found), used, held))


_OPTIONS = ("reduction", "ignore_index", "label_smoothing", "log_target", "log_input")


@cache
def _signature(func: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(func)
    except ValueError:
        return None


def bind(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a loss by name, with defaults."""
    signature = _signature(func)
    if signature is None:
        return dict(zip(("input", "target"), args, strict=False)) | kwargs
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    return bound.arguments


<<<<<<<< HEAD:src/torchclinic/observe/operations.py
def fill_loss(call: LossCall, prediction: Tensor, target: Tensor, measurements: Any) -> None:
    """Classes and value facts of both operands."""
    class_dim: int | None = None
    if call.function in CLASSIFYING and prediction.dim() > 0:
        class_dim = -1 if call.function == "kl_div" or prediction.dim() == 1 else 1
        call.classes = prediction.shape[class_dim]
    ignore = call.options.get("ignore_index")
    measure_operand(call.prediction, prediction, measurements, class_dim)
    measure_operand(call.target, target, measurements, None, ignore if isinstance(ignore, int) else None)
========
def identical_rows(weight: Tensor, tolerance: float = 0.0) -> Tensor:
    """How many rows of [out, ...] equal the first row, or the row before; 0 where all differ. At most 64 columns are read.

    `tolerance` is absolute: sums of equal terms may round differently from row to row.
    """
>>>>>>> theory
    rows = weight.flatten(1)
    if len(rows) < 2 or rows.shape[1] == 0:
        return torch.zeros((), device=weight.device)
    probe = rows[:, :: max(1, rows.shape[1] // 64)]
<<<<<<< HEAD
    first = (probe[1:] == probe[:1]).all(1).sum()
    before = (probe[1:] == probe[:-1]).all(1).sum()
=======
    first = ((probe[1:] - probe[:1]).abs() <= tolerance).all(1).sum()
    before = ((probe[1:] - probe[:-1]).abs() <= tolerance).all(1).sum()
>>>>>>> theory
    return torch.maximum(first, before)


def _measure_linear(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
    _measure_weight(operation, args, kwargs, output)
    weight = operation.weight
    assert weight is not None
    signal = next(value for value in args if isinstance(value, Tensor) and value is not weight)
    if operation.name == "addmm":
        signal = args[1] if args[1] is not weight else args[2]
    bias = (
        _argument(args, kwargs, 2, "bias", None) if operation.name not in ("matmul", "mm", "rmatmul", "addmm") else None
    )
    bias = args[0] if operation.name == "addmm" else bias
    operation.values["signal_numel"] = signal.numel()
    if isinstance(bias, Tensor):
        operation.measured["bias_mean_square"] = bias.detach().float().square().mean()
    if operation.spatial:
        _measure_taps(operation, signal, args, kwargs, output)
    else:
        transposed = operation.name in ("matmul", "mm", "rmatmul", "addmm") and weight is not args[0]
        operation.values["fan_in"] = weight.shape[0] if transposed else weight.shape[-1]


def _measure_taps(
    operation: Operation, signal: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor
) -> None:
    """Products summed in an output on average: borders, strides and dilation counted by a convolution of ones with ones."""
    weight = operation.weight
    assert weight is not None
    transposed = "transpose" in operation.name
    names = ("stride", "padding", "output_padding", "groups", "dilation") if transposed else (
        "stride", "padding", "dilation", "groups",
    )  # fmt: skip
    given = dict(zip(names, args[3:], strict=False)) | {key: kwargs[key] for key in names if key in kwargs}
    groups = given.pop("groups", 1)
    channels = weight.shape[0] // groups if transposed else weight.shape[1]
    ones = torch.ones((1, 1, *signal.shape[2 - weight.dim() :]), device=signal.device)
    kernel = torch.ones((1, 1, *weight.shape[2:]), device=signal.device)
    operation.measured["fan_in"] = getattr(F, operation.name)(ones, kernel, **given).mean() * channels


def _measure_norm(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
    """Scale and shift, and the mean of γ² / (variance + eps), by which the backward pass multiplies."""
    x = args[0].detach().float()
    positions = {"batch_norm": (3, 4, 7), "layer_norm": (2, 3, 4), "group_norm": (2, 3, 4), "instance_norm": (3, 4, 7),
                 "rms_norm": (2, 99, 3)}[operation.name]  # fmt: skip
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
<<<<<<< HEAD
=======
>>>>>>>> theory:src/torchclinic/observe/signal_operations.py
>>>>>>> theory
