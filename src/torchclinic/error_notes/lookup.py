"""What the user's expressions stand for: looked up, never run.

Names, attributes held in a `__dict__`, constant subscripts, and methods of tensors that only make another view. What would
run the user's code (calls, properties) stays unresolved.
"""

import ast
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

_VIEW_METHODS = frozenset(["permute", "transpose", "swapaxes", "movedim", "t", "unsqueeze", "squeeze", "expand", "detach"])
_SIZE_METHODS = frozenset(["size", "dim", "numel", "stride"])
_ATTRIBUTES = frozenset(["shape", "T", "mT", "ndim", "data"])


class UnresolvedError(Exception):
    """The value of an expression cannot be looked up."""


def value_of(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What an expression stands for, or None where that cannot be looked up."""
    try:
        with torch.no_grad():
            return look_up(node, names)
    except (UnresolvedError, RuntimeError, IndexError, TypeError, KeyError, ValueError, ZeroDivisionError):
        return None


def outermost(expression: ast.expr) -> Iterator[ast.expr]:
    """The largest parts of an expression that only name something: `self.fc`, `batch[0]`, `x`."""
    if isinstance(expression, ast.Name | ast.Attribute | ast.Subscript) and _only_names(expression):
        yield expression
        return
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        yield from outermost(expression.func)
        yield from outermost(expression.func.value)
        parts: Iterator[ast.AST] = iter([*expression.args, *(keyword.value for keyword in expression.keywords)])
    else:
        parts = ast.iter_child_nodes(expression)
    for part in parts:
        if isinstance(part, ast.expr):
            yield from outermost(part)


def _only_names(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute | ast.Subscript):
        return _only_names(node.value)
    return isinstance(node, ast.Name)


def look_up(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if node.id in names:
            return names[node.id]
        case ast.Attribute():
            return _attribute(look_up(node.value, names), node.attr)
        case ast.Subscript():
            return _item(look_up(node.value, names), look_up(node.slice, names))
        case ast.UnaryOp(op=ast.USub()):
            return -_number(look_up(node.operand, names))
        case ast.BinOp(op=ast.Mult()):
            return _number(look_up(node.left, names)) * _number(look_up(node.right, names))
        case ast.BinOp(op=ast.FloorDiv()):
            return _number(look_up(node.left, names)) // _number(look_up(node.right, names))
        case ast.Tuple() | ast.List():
            return tuple(look_up(element, names) for element in node.elts)
        case ast.Call(func=ast.Name(id="len"), args=[argument]):
            return _length(look_up(argument, names))
        case ast.Call(func=ast.Attribute(value=receiver, attr=method)) if not node.keywords:
            return _view(look_up(receiver, names), method, [look_up(argument, names) for argument in node.args])
    raise UnresolvedError


def _attribute(owner: Any, name: str) -> Any:
    if isinstance(owner, Tensor) and name in _ATTRIBUTES:
        return getattr(owner, name)
    held = getattr(owner, "__dict__", {})
    places = [held]
    if isinstance(owner, nn.Module):
        places += [held.get(kind, {}) for kind in ("_parameters", "_buffers", "_modules")]
    if isinstance(owner, ModuleType | nn.Module) or not isinstance(owner, Tensor | type):
        for place in places:
            if name in place:
                return place[name]
    raise UnresolvedError


def _item(owner: Any, key: Any) -> Any:
    if type(owner) in (list, tuple, dict, torch.Size, nn.Sequential, nn.ModuleList) and isinstance(key, int | str):
        return owner[key]
    raise UnresolvedError


def _view(receiver: Any, method: str, arguments: list[Any]) -> Any:
    if type(receiver) not in (Tensor, nn.Parameter) or method not in _VIEW_METHODS | _SIZE_METHODS:
        raise UnresolvedError
    return getattr(receiver, method)(*arguments)


def _length(value: Any) -> int:
    if type(value) in (Tensor, nn.Parameter, list, tuple, dict):
        return len(value)
    raise UnresolvedError


def _number(value: Any) -> int:
    if type(value) is int:
        return value
    raise UnresolvedError
