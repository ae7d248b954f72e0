"""What single operations reveal: losses, comparisons, in-place writes, copies, the first NaN."""

import inspect
import sys
import weakref
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from torchclinic.observe.dataflow import Node, make_node, tensors_in
from torchclinic.observe.facts import is_plain, measure_operand, operand, shares_memory
from torchclinic.observe.frames import Call
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
VIEW_FLOOR = 1 << 16
OWN_REFERENCES = 3  # to a base tensor that only its view keeps: the view's, a local name's, and the count's own
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

    def watch(
        self, name: str, func: Callable[..., Any], call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run one torch function and note what it reveals. The function mode is off in here."""
        session, witness = self.session, self.session.witness
        grad = torch.is_grad_enabled()
        if not session.listening():
            result = call(func, args, kwargs)
            if witness is not None and session.witnessing():
                with session.own():
                    witness(func, args, result, grad)
                    if session.waiting:
                        session.origins.called(name, result, args)
            return result
        loss: LossCall | None = None
        with session.own():
            if name in LOSSES:
                loss = self._loss(name, func, args, kwargs, grad)
            if args and name in _WRITES:
                self._write(name, args[0])
        result = call(func, args, kwargs)
        with session.own():
            if witness is not None:
                witness(func, args, result, grad)
            self._made(name, result, args, kwargs, grad)
            if loss is not None and isinstance(result, Tensor):
                self._loss_value(loss, result)
                session.labels.measured(name, loss.line, loss.prediction.shape, result)
        return result

    def _made(self, name: str, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any], grad: bool) -> None:
        flow, step, where = self.session.flow, self.session.step, self.session.modules.where()
        if isinstance(result, Tensor):
            node = make_node(flow, name, args, kwargs, result, step, where, self.session.modules.built())
            self._look(name, node, result, args, kwargs, grad)
            self.session.labels.made(name, node, result, args)
        elif name in _CUTS and args and isinstance(args[0], Tensor):
            flow.leaf(args[0]).cuts.append((name, user_line()))
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
        elif name in _COPYING and args:
            self._copy(name, node, result, args[0])
        elif name in _MUTATING and len(self.mutated) < 50:
            self._mutation(name, node, result)
        if name in _OUTER and len(self.elementwise) < LIST_CAP:
            self._outer(name, node, result, args)
        if name in _SPREAD and result.dim() == 0:
            self._reduction(node)
        if name in _SLICES and args:
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
            user_line(),
            session.modules.where(),
            grad and (prediction.requires_grad or target.requires_grad),
            session.step == 0,
            any(model.tied for model in session.modules.models.values()),
            self._operand(prediction),
            self._operand(target),
            failed=True,
        )
        call.options = {key: bound[key] for key in _OPTIONS if key in bound and not isinstance(bound[key], Tensor)}
        call.built = session.modules.built()
        call.options["weighted"] = isinstance(bound.get("weight"), Tensor)
        fill_loss(call, prediction, target, session.measurements)
        self.losses.append(call)
        if call.training:
            session.probing.label(name, prediction, target)
            session.labels.look(name, bound, call.line)
        return call

    def _operand(self, tensor: Tensor) -> Operand:
        facts = operand(tensor)
        node = self.session.flow.node_of(tensor)
        if node is not None:
            made = node.producer()
            facts.producer, facts.producer_line, facts.producer_scale = made.op, made.origin(), made.scale
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
                    OverlappingWrite(user_line(), name, self.session.step, tuple(tensor.shape), strides)
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
        if storage.nbytes() >= VIEW_FLOOR and storage.nbytes() >= 8 * used and len(self._views) < 2000:
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
            whole = base()
            alone = whole is None or sys.getrefcount(whole) <= OWN_REFERENCES
            if tensor is not None and alone and step < self.session.step:
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


def fill_loss(call: LossCall, prediction: Tensor, target: Tensor, measurements: Any) -> None:
    """Classes and value facts of both operands."""
    class_dim: int | None = None
    if call.function in CLASSIFYING and prediction.dim() > 0:
        class_dim = -1 if call.function == "kl_div" or prediction.dim() == 1 else 1
        call.classes = prediction.shape[class_dim]
    ignore = call.options.get("ignore_index")
    measure_operand(call.prediction, prediction, measurements, class_dim)
    measure_operand(call.target, target, measurements, None, ignore if isinstance(ignore, int) else None)
