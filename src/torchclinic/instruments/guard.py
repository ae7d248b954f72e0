"""The one guard: whatever is done to a model inside it is undone, bit for bit."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_globals
from torch.nn.parameter import is_lazy

from torchclinic.errors import InputError

_GLOBAL_HOOKS = tuple(
    value for name, value in vars(module_globals).items() if name.startswith("_global_") and isinstance(value, dict)
)
_TENSOR_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")


@contextmanager
def untouched(model: nn.Module, *, optimizer: torch.optim.Optimizer | None = None) -> Iterator[None]:
    """Restore `model` (and `optimizer`) and every random stream when the block ends, however it ends.

    Restored: train/eval mode of each module, parameters, buffers and gradients (identity, value, None stays None),
    `requires_grad`, hooks of modules and parameters, plain attributes of modules, the optimizer's state and groups, and
    the random streams of torch (CPU, CUDA), numpy and Python. Tensors keep their version counters, so a graph built
    before the block can still be run backward after it. Costs one copy of parameters, buffers and gradients.

    Raises:
        InputError: a lazy module has not been run yet, so there is nothing to restore it to.
    """
    undo = _Snapshot(model, optimizer)
    try:
        yield
    finally:
        undo.restore()


class _Snapshot:
    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        self.random = _RandomStreams()
        self.modes = [(module, module.training) for module in model.modules()]
        self.containers = [_Container(hooks) for hooks in _GLOBAL_HOOKS]
        tensors: list[Any] = [*model.parameters(), *model.buffers()]
        for module in model.modules():
            self.containers += _attributes(vars(module))
            tensors += vars(module).values()
        if optimizer is not None:
            self.containers += _attributes(vars(optimizer))
            self.containers += [_Container(group) for group in optimizer.param_groups]
            self.containers += [_Container(group["params"]) for group in optimizer.param_groups]
            self.containers += [_Container(state) for state in optimizer.state.values()]
            tensors += [parameter for group in optimizer.param_groups for parameter in group["params"]]
            tensors += [value for state in optimizer.state.values() for value in state.values()]
        self.tensors = [_TensorState(tensor) for tensor in _distinct(tensors)]

    def restore(self) -> None:
        for container in self.containers:
            container.restore()
        for module, training in self.modes:
            if module.training is not training:
                module.training = training
        with torch.no_grad():
            for tensor in self.tensors:
                tensor.restore()
        self.random.restore()


def _attributes(namespace: dict[str, Any]) -> Iterator["_Container"]:
    """The attributes of a module or optimizer, and those of them that are containers (parameters, buffers, hooks)."""
    yield _Container(namespace)
    yield from (_Container(value) for value in namespace.values() if isinstance(value, dict | list | set))


def _distinct(values: Iterable[Any]) -> list[Tensor]:
    return list({id(value): value for value in values if isinstance(value, Tensor)}.values())


class _Container:
    """What a dict, list or set held, in order."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self.content = list(container.items()) if isinstance(container, dict) else list(container)

    def restore(self) -> None:
        if isinstance(self.container, list):
            self.container[:] = self.content
        elif not self._unchanged():
            self.container.clear()
            self.container.update(self.content)

    def _unchanged(self) -> bool:
        now = self.container.items() if isinstance(self.container, dict) else self.container
        return len(now) == len(self.content) and all(_same(a, b) for a, b in zip(now, self.content, strict=True))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return all(x is y for x, y in zip(a, b, strict=True))
    return a is b


class _TensorState:
    """Storage, bits, version, gradient, `requires_grad` and hooks of one tensor."""

    def __init__(self, tensor: Tensor) -> None:
        if is_lazy(tensor):
            raise InputError(
                "The model has a lazy parameter without a shape; it cannot be examined and put back. "
                "Run it once on a batch, then call again."
            )
        self.tensor = tensor
        self.requires_grad = tensor.requires_grad
        self.hooks = {name: dict(getattr(tensor, name) or {}) for name in _TENSOR_HOOKS}
        self.alias = tensor.detach()
        self.bits = self.alias.clone()
        self.version = None if tensor.is_inference() else tensor._version
        self.gradient = _TensorState(tensor.grad) if tensor.is_leaf and tensor.grad is not None else None

    def restore(self) -> None:
        tensor = self.tensor
        if not _same_memory(tensor, self.alias):
            tensor.data = self.alias
        if not _same_bits(tensor.detach(), self.bits):
            tensor.detach().copy_(self.bits)
        if self.version is not None and tensor._version != self.version:
            torch._C._autograd._unsafe_set_version_counter((tensor,), (self.version,))
        if tensor.is_leaf:
            if tensor.requires_grad is not self.requires_grad:
                tensor.requires_grad_(self.requires_grad)
            self._restore_gradient()
        for name, before in self.hooks.items():
            hooks = getattr(tensor, name)
            if hooks is not None and dict(hooks) != before:
                hooks.clear()
                hooks.update(before)

    def _restore_gradient(self) -> None:
        if self.gradient is None:
            self.tensor.grad = None
        else:
            self.gradient.restore()
            self.tensor.grad = self.gradient.tensor


def _same_memory(a: Tensor, b: Tensor) -> bool:
    if a.layout is not torch.strided or a.device != b.device or a.dtype != b.dtype:
        return a.layout is b.layout and a.device == b.device and a.dtype == b.dtype
    return a.shape == b.shape and a.stride() == b.stride() and a.data_ptr() == b.data_ptr()


def _same_bits(a: Tensor, b: Tensor) -> bool:
    """Equality of bits: NaN equals the same NaN, 0.0 differs from -0.0."""
    if a.is_meta:
        return True
    if a.layout is not torch.strided or a.is_quantized:
        return False
    integer = _INTEGERS.get(a.element_size()) if not a.is_complex() else None
    if integer is None:
        return torch.equal(torch.view_as_real(a).view(torch.int32), torch.view_as_real(b).view(torch.int32))
    return torch.equal(a.view(integer), b.view(integer))


_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class _RandomStreams:
    def __init__(self) -> None:
        self.python = random.getstate()
        self.numpy = np.random.get_state()  # the legacy stream is the one user code draws from
        self.cpu = torch.get_rng_state()
        self.cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None

    def restore(self) -> None:
        random.setstate(self.python)
        np.random.set_state(self.numpy)
        torch.set_rng_state(self.cpu)
        if self.cuda is not None:
            torch.cuda.set_rng_state_all(self.cuda)
