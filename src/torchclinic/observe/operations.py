"""Every call of a torch function while it is observed in full: noted, and handed to those whom it concerns."""

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from torchclinic.instruments.values import tensors_in
from torchclinic.observe.clamps import CLAMPS
from torchclinic.observe.losses import LOSSES
from torchclinic.observe.memory import WRITES
from torchclinic.observe.records import Elementwise, LayerPass, LossCall, SoftmaxUse
from torchclinic.observe.state.dataflow import Node, make_node
from torchclinic.script.frames import Call
from torchclinic.script.lines import user_line
from torchclinic.vocabulary import REFLECTED

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

_COMPARISONS = {"eq", "ne"}
_OUTER = {"sub", "mul", "add", "div", "eq", "ne"}
_SPREAD = {"mean", "sum"}
_CUTS = {"numpy", "item", "tolist", "argmax", "detach", "data", "detach_", "__array__", "array"}
_MUTATING = {"add_", "sub_", "mul_", "div_", "pow_", "neg_", "clamp_", "sqrt_", "log_"}
_SCALING = {"mul", "div", "mul_", "div_"}
_VIEWS = {"view", "reshape", "view_as", "reshape_as"}
_COPYING = {"reshape", "contiguous", "flatten", "ravel"}
_SOFTMAXES = {"softmax", "log_softmax"}
_SLICES = {"getitem", "select", "narrow", "detach"}
LIST_CAP = 400
MOST_ANCESTORS = 400  # of a sum that are looked at for what broadcast


class OperationWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.elementwise: list[Elementwise] = []
        self.softmaxes: dict[str, SoftmaxUse] = {}  # by line
        self._outer_nodes: list[tuple[Elementwise, Node]] = []

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
                        session.memory.called(name, result, args)
            return result
        loss: LossCall | None = None
        with session.own():
            if name in LOSSES:
                loss = session.losses.called(name, func, args, kwargs, grad)
            if name in WRITES:
                session.memory.written(name, args)
        result = call(func, args, kwargs)
        with session.own():
            session.memory.spread(name, result)
            if witness is not None:
                witness(func, args, result, grad)
            self._made(name, func, result, args, kwargs, grad)
            if loss is not None and isinstance(result, Tensor):
                session.losses.returned(loss, result)
        return result

    def _made(
        self, name: str, func: Any, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any], grad: bool
    ) -> None:
        flow, step, where = self.session.flow, self.session.step, self.session.modules.where()
        if isinstance(result, Tensor):
            node = make_node(flow, name, args, kwargs, result, step, where, self.session.modules.built())
            node.reflected = getattr(func, "__name__", "") in REFLECTED
            self._look(name, node, result, args, kwargs, grad)
            self.session.labels.made(name, node, result, args)
            if grad and result.requires_grad:
                self.session.handmade.made(name, node, result, args, kwargs)
            self.session.discarded.made(name, node, result)
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
        elif name in ("masked_fill", "masked_fill_") and grad:
            session.padding.filled(node, args)
        elif name in _SOFTMAXES and grad and result.requires_grad:
            self._softmax(node, result, args, kwargs)
        elif name in CLAMPS and grad and result.requires_grad and not session.modules.inside_model():
            session.clamps.called(node, result, args, kwargs)
        elif name in _COPYING and args:
            session.memory.copied(name, node, result, args[0])
        elif name in _MUTATING:
            session.memory.changed(name, node, result)
        if name in _VIEWS and result.dim() > 2 and result.is_floating_point():
            session.memory.renamed(name, node, tuple(args[0].shape), tuple(result.shape))
        if name in _SCALING and len(args) == 2 and isinstance(args[1], int | float) and args[1]:
            node.scale = 1 / args[1] if name.startswith("div") else float(args[1])
        if name in _OUTER and len(self.elementwise) < LIST_CAP:
            self._outer(name, node, result, args)
        if name in _SPREAD and result.dim() == 0:
            self._reduction(node)
        if not grad and name.endswith("_") and isinstance(result, nn.Parameter) and not session.training.inside_step:
            session.unmeasured.wrote(result, node.line)
        if name in _SLICES and args:
            session.memory.cut(node, result, args[0])
        if grad and result.is_floating_point() and not session.training.inside_step:
            session.numerics.look(name, node, result, args)

    def _softmax(self, node: Node, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if isinstance(dim, int) and result.dim():
            use = self.softmaxes.setdefault(node.line, SoftmaxUse(node.line, node.where, tuple(result.shape), dim))
            use.single += result.shape[dim] == 1
            use.calls += 1

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

    def _outer(self, name: str, node: Node, result: Tensor, args: tuple[Any, ...]) -> None:
        if len(args) < 2 or not isinstance(args[0], Tensor) or not isinstance(args[1], Tensor):
            return
        left, right = args[0], args[1]
        if left.shape == right.shape or left.numel() != right.numel() or result.numel() <= left.numel():
            return
        if self.session.modules.inside_model() or [n for n in left.shape if n > 1] != [n for n in right.shape if n > 1]:
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
            inserted or same or left.dim() == right.dim(),
            left.requires_grad,
            right.requires_grad,
        )
        self.elementwise.append(record)
        self._outer_nodes = [*self._outer_nodes[-50:], (record, node)]

    def _reduction(self, node: Node) -> None:
        if not self._outer_nodes:
            return
        records = {id(outer): record for record, outer in self._outer_nodes}
        for ancestor in islice(node.ancestors(), MOST_ANCESTORS):
            if (record := records.get(id(ancestor))) is not None:
                record.reduced = True
