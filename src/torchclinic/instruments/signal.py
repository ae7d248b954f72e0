"""One forward pass seen operation by operation: what flows, through which weights, into which activation.

A `TorchFunctionMode` sees modules and functional calls alike, in-place ones too, and branches as they are taken.
Every measured value stays a tensor on its device until the pass is over; then all are read in one transfer.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_globals
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from torchclinic.instruments.signal_operations import Operation, classify

SATURATED = {"sigmoid": (0.01, 0.99), "tanh": (-0.99, 0.99)}  # values within 1 % of an asymptote


@dataclass
class Node:
    """The output of one operation. `measured` and `gradient` hold 0-dim tensors until they are read."""

    index: int
    operation: Operation
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    layer: str = ""
    kind: str = ""
    unit_dim: int = -1
    recurrent: str = ""  # the weights that carry the state from step to step
    measured: dict[str, Tensor] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


class SignalRecorder(TorchFunctionMode):
    """Records nodes while active. Used as a context around the forward pass only."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self._modules = {id(module): name for name, module in model.named_modules()}
        self._parameters = {id(parameter): name for name, parameter in model.named_parameters(remove_duplicate=False)}
        self._calls: dict[str, int] = {}
        self._stack: list[nn.Module] = []
        self._index: Any = WeakTensorKeyDictionary()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        sources = [value for value in _tensors((args, kwargs)) if value in self._index]
        inputs = tuple(self._index[value] for value in sources)
        before = [tuple(value.shape) for value in sources]
        operation = classify(func, args, kwargs, self._parameters)
        result = func(*args, **kwargs)
        outputs = [value for value in _tensors(result) if value.is_floating_point()]
        if outputs and (inputs or operation.role in ("linear", "embedding")):
            with torch.no_grad():
                if operation.measure is not None:
                    operation.complete(args, kwargs, outputs[0])
            for position, output in enumerate(outputs):
                self._add(operation, inputs, output, before, hidden=position > 0)
        return result

    def enter(self, tensor: Tensor) -> None:
        """Make `tensor` an input of the graph."""
        self._add(Operation("input", "input"), (), tensor, [], hidden=False)

    def find(self, tensor: Tensor) -> int | None:
        index: int | None = self._index.get(tensor)
        return index

    @contextmanager
    def named(self) -> Iterator[None]:
        """Know which module is running."""
        entered = module_globals.register_module_forward_pre_hook(lambda module, _: self._stack.append(module))
        left = module_globals.register_module_forward_hook(lambda *_: self._leave(), always_call=True)
        try:
            yield
        finally:
            entered.remove()
            left.remove()

    def _leave(self) -> None:
        self._stack.pop()

    def _add(
        self, operation: Operation, inputs: tuple[int, ...], output: Tensor, before: list[tuple[int, ...]], *, hidden: bool
    ) -> None:
        node = Node(len(self.nodes), operation, inputs, tuple(output.shape))
        node.unit_dim = self._unit_dim(node, before)
        if not hidden and operation.role not in ("carry", "input"):
            node.layer, node.kind = self._name(operation)
        if node.layer or operation.role == "input":
            with torch.no_grad():
                _measure(node, output.detach())
                if node.layer and self._stack and isinstance(self._stack[-1], nn.RNN):
                    _measure_steps(node, self._stack[-1], output.detach())
        if output.requires_grad and (node.layer or operation.role == "input"):
            output.register_hook(partial(_measure_gradient, node))
        self.nodes.append(node)
        self._index[output] = node.index

    def _unit_dim(self, node: Node, before: list[tuple[int, ...]]) -> int:
        if node.operation.role in ("linear", "embedding"):
            return 1 if node.operation.spatial else -1
        if node.inputs and before and len(before[0]) == len(node.shape):
            return self.nodes[node.inputs[0]].unit_dim
        return 1 if len(node.shape) >= 4 else -1

    def _name(self, operation: Operation) -> tuple[str, str]:
        module = self._stack[-1] if self._stack else None
        name = self._modules.get(id(module), type(module).__name__) if module is not None else ""
        leaf = module is not None and type(module).__module__.startswith("torch.nn")
        leaf = leaf and (isinstance(module, nn.MultiheadAttention) or not any(vars(module)["_modules"].values()))
        layer = name if leaf and name else ".".join(filter(None, (name, operation.name)))
        self._calls[layer] = self._calls.get(layer, 0) + 1
        if self._calls[layer] > 1:
            layer = f"{layer}#{self._calls[layer]}"
        return layer, type(module).__name__ if leaf else operation.name


def _measure(node: Node, output: Tensor) -> None:
    if output.numel() == 0:
        return
    values = output if output.dtype in (torch.float32, torch.float64) else output.float()
    node.measured["mean_square"] = torch.linalg.vector_norm(values).square() / output.numel()
    node.measured["mean"] = values.mean()
    if node.operation.role in ("linear", "activation") and output.dim() > 1:
        unit = node.unit_dim % output.dim()
        others = tuple(dim for dim in range(output.dim()) if dim != unit)
        node.values["units"] = output.shape[unit]
        node.values["samples"] = output.numel() // output.shape[unit]
        active = torch.count_nonzero(values, others)
        node.measured["dead_units"] = (active == 0).sum()
        if node.operation.role == "activation":
            node.measured["zeros"] = 1 - active.sum() / output.numel()
        else:
            node.measured["common"] = values.mean(others).square().mean()
    if node.operation.phi is not None and node.operation.phi.name in SATURATED:
        low, high = SATURATED[node.operation.phi.name]
        node.measured["saturated"] = ((values < low) | (values > high)).sum() / output.numel()


def _measure_steps(node: Node, module: nn.RNN, output: Tensor) -> None:
    """Mean squares of the states at the first, the middle and the last time step."""
    time = 1 if module.batch_first else 0
    if output.dim() != 3 or module.bidirectional or output.shape[time] < 4:
        return
    node.recurrent = f"{node.layer}.weight_hh_l{module.num_layers - 1}"
    steps = output.shape[time]
    for name, step in (("first", 0), ("middle", (steps - 1) // 2), ("last", steps - 1)):
        node.measured[name] = output.select(time, step).float().square().mean()


def _measure_gradient(node: Node, gradient: Tensor | None) -> None:
    if gradient is None:  # of an output that nothing reads, beside one that is read: cuDNN's recurrent layers have two
        return
    with torch.no_grad():
        values = gradient if gradient.dtype in (torch.float32, torch.float64) else gradient.float()
        node.measured["gradient"] = torch.linalg.vector_norm(values).square() / max(gradient.numel(), 1)


def read(nodes: list[Node]) -> None:
    """Bring every measured value to the host, one transfer per device."""
    places: dict[torch.device, list[tuple[dict[str, float], str, Tensor]]] = {}
    for node in nodes:
        for store, source in ((node.values, node.measured), (node.operation.values, node.operation.measured)):
            for name, value in source.items():
                places.setdefault(value.device, []).append((store, name, value))
            source.clear()
    for entries in places.values():
        numbers = torch.stack([value.double() for _, _, value in entries]).tolist()
        for (store, name, _), number in zip(entries, numbers, strict=True):
            store[name] = number


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    return []
