"""Calls of torch functions: which operation made which tensor, on which line, and who wants to know."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from torchclinic.instruments.values import tensors_in
from torchclinic.observe.events import LossCalled, LossReturned, OperationBegins, OperationCalled, OperationEarly
from torchclinic.observe.records import LayerPass
from torchclinic.observe.state.clock import FIRST_CALLS
from torchclinic.observe.state.dataflow import Node, make_node
from torchclinic.observe.taps.losses import called_loss
from torchclinic.observe.taps.tap import Tap
from torchclinic.script.frames import Call
from torchclinic.script.lines import user_line
from torchclinic.vocabulary import DROPOUTS, LEAVES_TORCH, LOSSES, REFLECTED, SCALING

MOST_LOSSES = 400  # calls


class OperationTap(Tap):
    def prepare(self) -> None:
        self._losses = 0

    def install(self, replace: Callable[..., None]) -> list[Any]:
        self.wiring.mode.watch = self.watch
        if self.wiring.witness is not None and self.clock.waiting and not self.clock.early_calls:
            self.wiring.mode.see()
        return []

    def watch(self, name: str, func: Callable[..., Any], call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one torch function and tell what it reveals. The function mode is off in here."""
        grad = torch.is_grad_enabled()
        if not self._listening():
            result = call(func, args, kwargs)
            if self.wiring.witness is not None and self._witnessing():
                with self.own.work():
                    self._witnessed(name, func, args, result, grad)
            return result
        loss: LossCalled | None = None
        with self.own.work():
            if name in LOSSES and self._losses < MOST_LOSSES:
                loss = called_loss(name, func, args, kwargs, grad and not self.state.purposes.apart)
            if loss is not None:
                self._losses += 1
                self.tell(loss)
            if begins := self.wiring.bus.hearers(OperationBegins, name):
                event = OperationBegins(name, args)
                for hear in begins:
                    hear(event)
        result = call(func, args, kwargs)
        with self.own.work():
            if self.wiring.witness is not None:
                self.wiring.witness(func, args, result, grad)
            self._made(name, func, result, args, kwargs, grad)
            if loss is not None and isinstance(result, Tensor):
                self.tell(LossReturned(loss, result))
        return result

    def _listening(self) -> bool:
        clock = self.clock
        ready = clock.full and not clock.quiet and not self.state.flow.full() and clock.own_thread()
        return ready and not self.transformed()

    def _witnessing(self) -> bool:
        """Where nothing else is noted: before the first model, and inside an optimizer's step."""
        clock = self.clock
        if clock.stopped or not clock.own_thread():
            return False
        clock.early_calls += clock.waiting
        self.wiring.mode.asleep = clock.waiting and clock.early_calls > FIRST_CALLS
        return clock.waiting or (clock.full and self.state.training.inside_step > 0)

    def _witnessed(self, name: str, func: Callable[..., Any], args: tuple[Any, ...], result: Any, grad: bool) -> None:
        assert self.wiring.witness is not None
        self.wiring.witness(func, args, result, grad)
        if self.clock.waiting:
            self.state.origins.called(name, result, args)
            event = OperationEarly(name, result, args)
            for hear in self.wiring.bus.hearers(OperationEarly, name):
                hear(event)

    def _made(self, name: str, func: Any, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any], grad: bool) -> None:
        flow, step, where = self.state.flow, self.clock.step, self.state.models.where()
        args, kwargs = _by_place(args, kwargs) if kwargs else (args, kwargs)
        if isinstance(result, Tensor):
            node = make_node(flow, name, args, kwargs, result, step, where, self.state.models.built())
            self._describe(name, node, func, args, kwargs)
            if hearing := self.wiring.bus.hearers(OperationCalled, name):
                event = OperationCalled(name, node, result, args, kwargs, grad)
                for hear in hearing:
                    hear(event)
        elif name in LEAVES_TORCH and args and isinstance(args[0], Tensor):
            flow.leaf(args[0]).cuts.append((name, user_line()))
        elif isinstance(result, tuple | list):
            for item in tensors_in(result, 1):
                make_node(flow, name, args, kwargs, item, step, where)
        elif name == "setitem" and args and isinstance(args[0], Tensor):
            make_node(flow, "setitem", args, kwargs, args[0], step, where)

    def _describe(self, name: str, node: Node, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """What its arguments say of an operation."""
        node.reflected = getattr(func, "__name__", "") in REFLECTED
        if name == "getitem":
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            node.inserted_axis = any(item is None for item in index)
        elif name in DROPOUTS:
            self._dropout(node, args, kwargs)
        elif name in SCALING and len(args) == 2 and isinstance(args[1], int | float) and args[1]:
            node.scale = 1 / args[1] if name.startswith("div") else float(args[1])

    def _dropout(self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        probability = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
        training = kwargs.get("training", args[2] if len(args) > 2 else True)
        if not training or not probability:
            node.op = "identity"
            return
        node.scale = float(probability)
        forward = self.state.models.open
        if forward is not None and not any(layer.path == node.where for layer in forward.layers):
            forward.layers.append(LayerPass(node.where, "dropout", True, probability=float(probability)))


def _by_place(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """`torch.mul(input=a, other=b)` as `torch.mul(a, b)`."""
    named = [kwargs[name] for name in ("input", "other") if name in kwargs]
    return (*args, *named), {name: value for name, value in kwargs.items() if name not in ("input", "other")}
