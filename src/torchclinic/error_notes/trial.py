"""The failing operation executed again: on copies, on the meta device where they are large. Nothing of the user's runs.

Only functions, methods and layers of torch are called. Random streams, the tensors and the layers stay as they were.
"""

import ast
import builtins
import copy
import math
import operator
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.error_notes.lookup import UnresolvedError, look_up

LARGEST = 1 << 22  # elements that are copied; beyond, shapes and dtypes only
Change = Callable[[Tensor], Tensor]

_PACKAGES = (torch, torch.nn.functional, torch.special, torch.linalg, torch.fft)
_EFFECTS = frozenset(["backward", "register_hook", "share_memory_", "set_", "resize_", "storage", "untyped_storage", "data_ptr"])
_PLAIN = frozenset(["len", "int", "float", "bool", "min", "max", "range", "tuple", "list", "sum", "abs", "round"])
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_UNARY: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.Invert: operator.invert, ast.Not: operator.not_}


class Trial:
    """Evaluates expressions of the failing line with copies in place of its tensors; `changes`: other copies, by id."""

    def __init__(self, names: Mapping[str, Any], changes: Mapping[int, Change] | None = None, meta: bool = False) -> None:
        self._names, self._changes, self._meta = names, changes or {}, meta
        self._copies: dict[int, Any] = {}

    def value(self, node: ast.expr) -> Any:
        """The value of an expression.

        Raises:
            UnresolvedError: it would run code that is not torch's.
        """
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            return self._of(node)

    def output(self, module: nn.Module, *arguments: Any) -> Any:
        """What a layer of torch (or a copy made otherwise) gives on copies of its arguments."""
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            return self._module(module)(*(self._copied(argument) for argument in arguments))

    def _of(self, node: ast.expr | None) -> Any:
        match node:
            case None:
                return None
            case ast.Call():
                return self._call(node)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](self._of(left), self._of(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return _UNARY[type(op)](self._of(operand))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                return _COMPARISONS[type(op)](self._of(left), self._of(right))
            case ast.Tuple(elts=elements):
                return tuple(map(self._of, elements))
            case ast.List(elts=elements):
                return list(map(self._of, elements))
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(self._of(lower), self._of(upper), self._of(step))
            case ast.Subscript(value=value, slice=index):
                owner = self._of(value)
                if not isinstance(owner, Tensor | list | tuple | torch.Size | dict):
                    raise UnresolvedError
                return owner[self._of(index)]
            case ast.Attribute(value=value, attr=name):
                return self._attribute(node, value, name)
        if isinstance(node, ast.Name) and node.id not in self._names and node.id in _PLAIN:
            return getattr(builtins, node.id)
        return self._copied(look_up(node, self._names))

    def _attribute(self, node: ast.Attribute, value: ast.expr, name: str) -> Any:
        try:
            return self._copied(look_up(node, self._names))
        except UnresolvedError:
            owner = self._of(value)
            if isinstance(owner, Tensor) and name in ("shape", "T", "mT", "ndim", "dtype", "device", "real", "imag", "data", "H"):
                return getattr(owner, name)
            if owner in _PACKAGES or owner is math or (isinstance(owner, ModuleType) and owner.__name__.startswith("torch")):
                return getattr(owner, name)
            raise

    def _call(self, node: ast.Call) -> Any:
        if any(isinstance(argument, ast.Starred) for argument in node.args) or any(k.arg is None for k in node.keywords):
            raise UnresolvedError
        function = self._function(node.func)
        arguments = [self._of(argument) for argument in node.args]
        keywords = {keyword.arg: self._of(keyword.value) for keyword in node.keywords if keyword.arg is not None}
        if self._meta and _makes_tensor(function) and "device" not in keywords:
            keywords["device"] = "meta"
        return function(*arguments, **keywords)

    def _function(self, node: ast.expr) -> Callable[..., Any]:
        if isinstance(node, ast.Attribute):
            try:
                owner = self._of(node.value)
            except UnresolvedError:
                owner = None
            if type(owner) in (Tensor, nn.Parameter) and hasattr(Tensor, node.attr) and node.attr not in _EFFECTS:
                return getattr(owner, node.attr)  # type: ignore[no-any-return]
        function = self._of(node)
        if isinstance(function, nn.Module) or _is_torch(function) or _is_plain(function):
            return function  # type: ignore[no-any-return]
        raise UnresolvedError

    def _copied(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, nn.Module):
            return self._module(value)
        if type(value) in (list, tuple):
            return type(value)(self._copied(part) for part in value)
        if type(value) is dict:
            return {key: self._copied(part) for key, part in value.items()}
        return value

    def _tensor(self, tensor: Tensor) -> Tensor:
        if id(tensor) not in self._copies:
            if type(tensor) not in (Tensor, nn.Parameter) or tensor.layout != torch.strided:
                raise UnresolvedError
            made = _strided_copy(tensor, self._meta)
            change = self._changes.get(id(tensor))
            self._copies[id(tensor)] = made if change is None else change(made)
        copied: Tensor = self._copies[id(tensor)]
        return copied

    def _module(self, module: nn.Module) -> nn.Module:
        if id(module) not in self._copies:
            if not all(_is_layer(part) for part in module.modules()):
                raise UnresolvedError
            owned = [*module.parameters(), *module.buffers()]
            memo: dict[int, Any] = {
                id(t): nn.Parameter(self._tensor(t), requires_grad=False) if isinstance(t, nn.Parameter) else self._tensor(t)
                for t in owned
            }
            self._copies[id(module)] = copy.deepcopy(module, memo)
        copied: nn.Module = self._copies[id(module)]
        return copied


def elements(*values: Any) -> int:
    """How much would be copied."""
    return sum(
        value.numel() if isinstance(value, Tensor) else sum(p.numel() for p in value.parameters())
        for value in values
        if isinstance(value, Tensor | nn.Module)
    )


def _strided_copy(tensor: Tensor, meta: bool) -> Tensor:
    given = tensor.detach()
    if meta:
        return torch.empty_strided(given.shape, given.stride(), dtype=given.dtype, device="meta")
    if any(step == 0 and size > 1 for size, step in zip(given.shape, given.stride(), strict=True)):
        return given.clone()
    made = torch.empty_strided(given.shape, given.stride(), dtype=given.dtype, device=given.device)
    return made.copy_(given)


def _is_layer(module: nn.Module) -> bool:
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return type(module).__module__.startswith("torch.nn.modules") and not any(hooks)


def _is_torch(function: Any) -> bool:
    name = getattr(function, "__name__", "")
    if isinstance(function, type):
        return issubclass(function, nn.Module) and function.__module__.startswith("torch.nn.modules")
    if getattr(torch._C._VariableFunctions, name, None) is not None and getattr(torch, name, None) is function:
        return True
    if name in ("tensor", "from_numpy", "zeros", "ones", "full", "randn", "rand", "arange", "empty", "randint"):
        return getattr(torch, name) is function
    return any(getattr(package, name, None) is function for package in _PACKAGES[1:]) or (
        getattr(function, "__module__", None) == "torch.functional"
    )


def _makes_tensor(function: Any) -> bool:
    names = ("tensor", "zeros", "ones", "full", "randn", "rand", "arange", "empty", "randint", "eye", "linspace")
    return any(getattr(torch, name) is function for name in names)


def _is_plain(function: Any) -> bool:
    name = getattr(function, "__name__", "")
    plain = name in _PLAIN and getattr(builtins, name, None) is function
    return plain or getattr(math, name, None) is function
